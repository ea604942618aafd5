"""A data set cut in two by the titles of its articles."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from quoth.errors import ConfigError
from quoth.records import Example

# Unknown titles that an error names, and characters of each.
_SHOWN, _WIDEST = 10, 100


def read_titles(path: str | os.PathLike[str]) -> list[str]:
    """Read the titles of articles from a UTF-8 file, one a line. Blank lines are passed over.

    Raises:
        ConfigError: If the file cannot be read or names no title.
    """
    try:
        lines = Path(path).read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise ConfigError(f"{path}: must be a file of titles, but: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: must be UTF-8, but byte {error.start + 1} is not; save the file as UTF-8") from None
    titles = [line.removesuffix("\r") for line in lines if line.strip()]
    if not titles:
        raise ConfigError(f"{path}: must hold titles of articles, one a line, but holds none")
    return titles


def split(examples: Sequence[Example], titles: Collection[str]) -> tuple[list[Example], list[Example]]:
    """Return the examples whose article is named, and the others, both in their order.

    Whole articles change sides, never parts of one.

    Raises:
        ConfigError: If the data has no article of a given title.

    Example:
        >>> examples = [Example("1", "Who?", "Ana.", title="Ferry"), Example("2", "Who?", "Ben.", title="Bakery")]
        >>> inside, outside = split(examples, ["Ferry"])
        >>> inside[0].id, outside[0].id
        ('1', '2')
    """
    wanted = set(titles)
    there = {example.title for example in examples}
    if unknown := [_unknown(title[:_WIDEST], there) for title in dict.fromkeys(titles) if title not in there]:
        # A file of something else, such as of questions, would fill the screen.
        more = [f"and {len(unknown) - _SHOWN:,} more"] if len(unknown) > _SHOWN else []
        raise ConfigError("\n".join([*unknown[:_SHOWN], *more]))
    inside = [example for example in examples if example.title in wanted]
    outside = [example for example in examples if example.title not in wanted]
    return inside, outside


def _unknown(title: str, there: Collection[str]) -> str:
    close = difflib.get_close_matches(title, there, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f'titles must name articles of the data, but no article is called "{title}"{hint}'
