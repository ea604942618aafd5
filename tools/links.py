"""Maps files of the tree to pages of the site, so that a relative link works on a code host and on the site.

Documents link to files by relative paths: ``../../deploy/compose.yaml``, ``decisions/``. On the site, a file
outside ``docs/`` has a page below ``source/``: Markdown is rendered, anything else is shown as code.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
DOCS = PurePosixPath("docs")
# What the site shows in place of a file or a folder of docs/.
INSTEAD = {"docs/tutorial/tutorial.ipynb": "tutorial/index.md", "docs/decisions": "decisions/index.md"}
# Pages that other pages are generated from, by their place in the tree.
GENERATED = {"tutorial/index.md": "docs/tutorial/tutorial.ipynb", "decisions/index.md": "docs/decisions/index.md"}
# The part in parentheses of [text](target#anchor) and ![text](target).
LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?(?=\))")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LANGUAGES = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".py": "python", ".service": "ini", ".cff": "yaml"}


def relative_links(markdown: str) -> Iterator[re.Match[str]]:
    """Yield the links of a page to files: neither to the web nor within the page."""
    code = [match.span() for match in CODE.finditer(markdown)]
    for link in LINK.finditer(markdown):
        inside_code = any(start <= link.start() < end for start, end in code)
        if link["target"] and not re.match(r"[a-z]+:", link["target"]) and not inside_code:
            yield link


def target_of(place: str, link: re.Match[str]) -> str:
    """Return the place in the tree that a link of the file at `place` leads to."""
    return os.path.normpath(PurePosixPath(place).parent / link["target"]).replace(os.sep, "/")


def page_of(place: str) -> str:
    """Return the page that shows a file or a folder of the tree: ``source/LICENSE.md`` for ``LICENSE``."""
    if place in INSTEAD:
        return INSTEAD[place]
    if PurePosixPath(place).is_relative_to(DOCS):
        return PurePosixPath(place).relative_to(DOCS).as_posix()
    if (ROOT / place).is_dir():
        place += "/README.md"
    return f"source/{place}" if place.endswith(".md") else f"source/{place}.md"


def place_of(page: str) -> str:
    """Return the place in the tree of the file that a page shows; the opposite of `page_of`."""
    if page in GENERATED:
        return GENERATED[page]
    if not page.startswith("source/"):
        return (DOCS / page).as_posix()
    place = page.removeprefix("source/")
    return place if (ROOT / place).is_file() else place.removesuffix(".md")


def for_site(page: str, markdown: str) -> str:
    """Return the Markdown of a page with each relative link turned into one to the page that shows its target."""
    place, parts, end = place_of(page), [], 0
    for link in relative_links(markdown):
        target = os.path.relpath(page_of(target_of(place, link)), PurePosixPath(page).parent).replace(os.sep, "/")
        parts += [markdown[end : link.start()], target]
        end = link.end("target")
    return "".join(parts) + markdown[end:]


def outside_pages(places: Iterator[str]) -> dict[str, str]:
    """Return the pages, by name, that show what these files link to outside ``docs/``, and so on from those files."""
    pages: dict[str, str] = {}
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        for link in relative_links((ROOT / place).read_text(encoding="utf-8")):
            page = page_of(target_of(place, link))
            if page.startswith("source/") and page not in pages:
                pages[page] = shown(place_of(page))
                waiting += [place_of(page)] if place_of(page).endswith(".md") else []
    return pages


def shown(place: str) -> str:
    """Return a file as Markdown: unchanged if it is Markdown, else as a code block under its name."""
    text = (ROOT / place).read_text(encoding="utf-8")
    if place.endswith(".md"):
        return text
    return f"# {place}\n\n```{LANGUAGES.get(PurePosixPath(place).suffix, 'text')}\n{text.rstrip()}\n```\n"
