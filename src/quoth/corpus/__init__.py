"""A corpus: documents that are split into passages, indexed in one file, searched and read."""

from quoth.corpus.corpus import PASSAGES, Corpus, CorpusAnswer, Found, Indexed
from quoth.corpus.records import Entry, Hit

__all__ = ["PASSAGES", "Corpus", "CorpusAnswer", "Entry", "Found", "Hit", "Indexed"]
