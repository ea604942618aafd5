"""Uploaded files: the one file of a form, which Starlette keeps on disk if it is large."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile
from starlette.requests import Request

from quoth.serve.errors import ApiError, overloaded

# Retry-After if the disk is full, in seconds.
_RETRY_S = 10.0
# For OpenAPI: a form with one file.
FORM: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary"}},
        }
    }
}


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
    """Yield the file of a form and its name.

    Raises:
        ApiError: If the form has no file, or the disk is full.
    """
    try:
        async with request.form(max_files=1, max_fields=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise ApiError(
                    422, "bad_field", "the form must have a file named file, but has none", "Add the file.",
                    "body.file",
                )  # fmt: skip
            yield file.file, file.filename
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise overloaded("the disk for uploaded files is full", _RETRY_S, "disk") from None
