"""A corpus: documents cut into passages, indexed in one file, searched and read."""

from quoth.corpus.corpus import Corpus, CorpusAnswer, Found, Indexed
from quoth.corpus.store import Entry, Hit

__all__ = ["Corpus", "CorpusAnswer", "Entry", "Found", "Hit", "Indexed"]
