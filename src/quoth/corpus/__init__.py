"""A corpus: documents that are split into passages, indexed in one file, searched and read."""

from quoth.corpus.corpus import PASSAGES, Corpus
from quoth.corpus.records import CorpusAnswer, Entry, Found, Hit, Indexed

__all__ = ["PASSAGES", "Corpus", "CorpusAnswer", "Entry", "Found", "Hit", "Indexed"]
