"""Calibrating: fits temperature, odds scale, null threshold and operating points of a reader on held-out data."""

from quoth.calibrating.fit import Fit, fit
from quoth.calibrating.run import CalibrateResult, calibrate

__all__ = ["CalibrateResult", "Fit", "calibrate", "fit"]
