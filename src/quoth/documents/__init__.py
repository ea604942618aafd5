"""A file of any kind to its text: with title, pages and the boxes of its words, parsed in bounded processes."""

from quoth.documents.files import Unread, find_files, read_documents
from quoth.documents.read import KINDS, PARSED, read_document
from quoth.documents.records import Box, Document, DocumentLimits

__all__ = [
    "KINDS",
    "PARSED",
    "Box",
    "Document",
    "DocumentLimits",
    "Unread",
    "find_files",
    "read_document",
    "read_documents",
]
