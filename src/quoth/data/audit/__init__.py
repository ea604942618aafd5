"""The audit: what may mislead training and measuring, over one data set or several.

examples ─▶ texts (leakage, contradictions) and labels (repeated sentences, odd lengths) ─▶ Audit
predictions, where the caller has a reader ─▶ suspects (label errors, answerable "unanswerables") ─▶ Audit
"""

from quoth.data.audit.records import KINDS, Audit, Finding, Located, Suspect
from quoth.data.audit.run import audit
from quoth.data.audit.suspects import suspects

__all__ = ["KINDS", "Audit", "Finding", "Located", "Suspect", "audit", "suspects"]
