"""Docstrings as the site shows them: without the roles of reStructuredText, and with their examples as code."""

import re
from typing import Any

import griffe

# :meth:`load`, :meth:`Reader.answer <quoth.Reader.answer>` -> `load`, `Reader.answer`
ROLE = re.compile(r":[a-z]+:`([^`<]+?)(?: <[^`>]+>)?`")
# The name by which griffe knows the section.
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Readable(griffe.Extension):
    """Rewrites each docstring when its object is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub("Examples:", ROLE.sub(r"`\1`", obj.docstring.value))
