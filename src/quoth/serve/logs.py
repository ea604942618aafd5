"""The log of the server: lines of text or JSON with the id of the request, without texts and questions."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# The id of the request that is being served.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
ACCESS = logging.getLogger("quoth.access")
# Fields of a record of the access log besides its message.
_FIELDS = ("method", "endpoint", "status", "seconds", "received", "sent", "client")


class NoText(logging.Filter):
    """Keeps texts and questions out of the log: only the type and the code locations of an exception are logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record with an exception, and add the id of the request."""
        record.request_id = REQUEST_ID.get()
        if record.exc_info and record.exc_info[0]:
            trace, places = record.exc_info[2], []
            while trace:
                places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
                trace = trace.tb_next
            what = f"{record.getMessage().strip()} {record.exc_info[0].__name__} at {' < '.join(reversed(places[-8:]))}"
            record.msg, record.args = what.replace("%", "%%"), None
            record.exc_info = record.exc_text = None
        return True


class TextFormatter(logging.Formatter):
    """One line of text per record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        request = getattr(record, "request_id", "")
        return f"{line} (request {request})" if request else line


class JsonFormatter(logging.Formatter):
    """One JSON object per record, each on a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if request := getattr(record, "request_id", ""):
            found["request_id"] = request
        found.update({name: getattr(record, name) for name in _FIELDS if hasattr(record, name)})
        return json.dumps(found, ensure_ascii=False)


def log_config(level: str, form: str) -> dict[str, Any]:
    """Return the configuration of logging.

    Args:
        level: Minimum level of Quoth's records; uvicorn logs only warnings and errors, except at "debug".
        form: "text" or "json".
    """
    formatter = {"text": TextFormatter, "json": JsonFormatter}[form]
    of_uvicorn = "DEBUG" if level == "debug" else "ERROR" if level == "error" else "WARNING"
    levels = {"quoth": level.upper(), "uvicorn": of_uvicorn, "asyncio": of_uvicorn}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"no_text": {"()": NoText}},
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["no_text"]}},
        "loggers": {
            name: {"handlers": ["stderr"], "level": least, "propagate": False} for name, least in levels.items()
        },
    }
