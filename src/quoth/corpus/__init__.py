"""A corpus: documents, split into passages and indexed in a file or database, for search and question answering."""

from quoth.corpus.backend import SEARCH_ENGINES, SearchEngine
from quoth.corpus.corpus import PASSAGES, Corpus
from quoth.corpus.records import CorpusAnswer, Entry, Found, Hit, Indexed, Searched

__all__ = [
    "PASSAGES",
    "SEARCH_ENGINES",
    "Corpus",
    "CorpusAnswer",
    "Entry",
    "Found",
    "Hit",
    "Indexed",
    "SearchEngine",
    "Searched",
]
