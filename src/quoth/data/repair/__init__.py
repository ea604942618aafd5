"""Repairs what is beyond doubt: each kind a named rule, each change logged, nothing else touched.

    rows ─▶ fields (names, values, shapes) ─▶ golds (places, texts) ─▶ rows (doubled) ─▶ ids ─▶ rows and changes

Running it on its own result changes nothing. What a rule cannot decide it leaves for the check to name.
"""

from quoth.data.repair.rules import RULES, Change, chosen_rules
from quoth.data.repair.run import Repaired, drop_unrepaired, repair

__all__ = ["RULES", "Change", "Repaired", "chosen_rules", "drop_unrepaired", "repair"]
