"""Tables on disk or in an object store: found, scanned once, and read in ranges of rows, never completely."""

from quoth.tables.sources.files import Location, find_files
from quoth.tables.sources.table import Cursor, Table, TableFile, scan

__all__ = ["Cursor", "Location", "Table", "TableFile", "find_files", "scan"]
