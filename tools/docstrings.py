"""Adapts docstrings for the site: removes the roles of reStructuredText, and marks examples as code."""

import re
from typing import Any

import griffe

# :meth:`load`, :meth:`Reader.answer <quoth.Reader.answer>` -> `load`, `Reader.answer`
ROLE = re.compile(r":[a-z]+:`([^`<]+?)(?: <[^`>]+>)?`")
# griffe calls this section "Examples".
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Readable(griffe.Extension):
    """Rewrites each docstring when its object is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub("Examples:", ROLE.sub(r"`\1`", obj.docstring.value))
