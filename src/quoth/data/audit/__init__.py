"""The audit: finds problems of one or several data sets that could distort training or evaluation.

examples ─▶ texts (leakage, contradictions) and labels (repeated sentences, unusual lengths) ─▶ Audit
predictions, if there is a reader ─▶ suspects (label errors, answerable "unanswerables") ─▶ Audit
"""

from quoth.data.audit.records import KINDS, Audit, Finding, Located, Suspect
from quoth.data.audit.run import audit
from quoth.data.audit.suspects import suspects

__all__ = ["KINDS", "Audit", "Finding", "Located", "Suspect", "audit", "suspects"]
