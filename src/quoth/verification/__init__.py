"""Checks whether texts contain claimed quotes: exact, near with its difference, or absent. Needs no model."""

from quoth.verification.claims import Claim, claim_of, read_claims
from quoth.verification.quotation import quoted
from quoth.verification.records import Change, Place, Source, TextSource, Verdict
from quoth.verification.verify import verify

__all__ = ["Change", "Claim", "Place", "Source", "TextSource", "Verdict", "claim_of", "quoted", "read_claims", "verify"]
