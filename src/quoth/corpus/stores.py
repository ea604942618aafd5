"""Opens a store by its name."""

from __future__ import annotations

from pathlib import Path

from quoth.corpus.backend import SEARCH_ENGINES, Backend, SearchEngine
from quoth.errors import CorpusError


def open_backend(path: str | Path, *, create: bool, search: SearchEngine | None = None) -> Backend:
    """Open a store by its name: the path of a file, or the URL of a PostgreSQL database.

    Args:
        path: Its name.
        create: Whether to create it if it does not exist.
        search: The search engine of a file; the stored one if ``None``. A different one replaces the index.

    Raises:
        CorpusError: If it is not a corpus, or has an unsupported format version.
        MissingExtraError: If its extra is not installed.
    """
    if search not in (None, *SEARCH_ENGINES):
        raise CorpusError(f"search must be {' or '.join(SEARCH_ENGINES)}, but is {search}")
    if str(path).startswith(("postgresql://", "postgres://")):
        if search is not None:
            raise CorpusError(f"search must not be given for PostgreSQL, which has its own search, but is {search}")
        from quoth.corpus.postgres import PostgresStore

        return PostgresStore(str(path), create=create)
    from quoth.corpus.sqlite import SqliteStore

    return SqliteStore(Path(path), create=create, search=search)
