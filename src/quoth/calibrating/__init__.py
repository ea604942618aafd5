"""Calibrating: fits temperature, odds scale, null threshold and operating points of a reader on held-out data."""

from quoth.calibrating.corpus_run import CorpusCalibrateResult, calibrate_for_corpus
from quoth.calibrating.fit import Fit, fit
from quoth.calibrating.run import CalibrateResult, calibrate

__all__ = ["CalibrateResult", "CorpusCalibrateResult", "Fit", "calibrate", "calibrate_for_corpus", "fit"]
