"""Repairs unambiguous problems of data sets. Each kind of repair is a named rule, and each change is logged.

    rows ─▶ fields (names, values, shapes) ─▶ golds (places, texts) ─▶ rows (duplicates) ─▶ ids ─▶ rows and changes

Repairing a repaired data set changes nothing. Ambiguous problems are left for the check to report.
"""

from quoth.data.repair.rules import RULES, Change, chosen_rules
from quoth.data.repair.run import Repaired, drop_unrepaired, repair

__all__ = ["RULES", "Change", "Repaired", "chosen_rules", "drop_unrepaired", "repair"]
