"""Reads files of any kind as documents: text, title, pages and word boxes. Files are parsed in limited processes."""

from quoth.documents.files import Unread, find_files, read_documents
from quoth.documents.read import KINDS, PARSED, draw_page, read_document
from quoth.documents.records import EXTRACTION_VERSION, Box, Document, DocumentLimits
from quoth.documents.stopping import Stop

__all__ = [
    "EXTRACTION_VERSION",
    "KINDS",
    "PARSED",
    "Box",
    "Document",
    "DocumentLimits",
    "Stop",
    "Unread",
    "draw_page",
    "find_files",
    "read_document",
    "read_documents",
]
