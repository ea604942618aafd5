"""Tables on disk or in an object store: found, counted once, and read in ranges of rows, never as a whole."""

from quoth.tables.sources.files import Location, find_files
from quoth.tables.sources.table import Cursor, Table, TableFile, scan

__all__ = ["Cursor", "Location", "Table", "TableFile", "find_files", "scan"]
