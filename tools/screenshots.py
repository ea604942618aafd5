"""Takes docs/serve-*.png, the real page of ``quoth serve``, and docs/report-*.png, a report, in a headless Chromium.

python tools/screenshots.py
python tools/screenshots.py --report report.html   # of the commands of docs/guides/own-data.md
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import chromium, serving  # noqa: E402

# The limit for one picture, to keep the repository small.
MOST_BYTES = 200_000


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the size and colours of the page, the elements to click first, and where to begin."""

    name: str
    width: int
    height: int
    dark: bool
    clicks: tuple[str, ...]
    wait_for: str
    begins: str = ""


LIGHTHOUSE, LOAF = "#sample-list li:nth-child(1) button", "#sample-list li:nth-child(3) button"
PICTURES = (
    Picture("serve-light", 1280, 860, False, (LIGHTHOUSE,), "#text mark.best"),
    Picture("serve-dark", 1280, 860, True, (LOAF,), "#text mark.best"),
    Picture("serve-phone", 390, 844, False, (LIGHTHOUSE,), "#text mark.best"),
    Picture("serve-found", 1280, 860, False, (LIGHTHOUSE, "#tab-found"), ".token.quoted"),
)
WRONG = "//h2[starts-with(., 'Wrong answers')]"
REPORT_PICTURES = (
    Picture("report-scores", 1000, 900, False, (), "svg"),
    Picture("report-wrong", 1000, 900, False, (), "mark.gold", WRONG),
)


def take(url: str, picture: Picture) -> bytes:
    """Open the page, click, and wait until it shows the expected element."""
    with chromium(picture.width, picture.height, dark=picture.dark) as driver:
        driver.get(url)
        for selector in (*picture.clicks, picture.wait_for):
            found = until(partial(driver.find_elements, "css selector", selector))
            if selector != picture.wait_for:
                found[0].click()
        driver.execute_script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        if picture.begins:
            driver.execute_script("arguments[0].scrollIntoView()", driver.find_element("xpath", picture.begins))
        time.sleep(1)  # for transitions and fonts
        png: bytes = driver.get_screenshot_as_png()
    return png


def with_few_colours(png: bytes) -> bytes:
    """Return a picture with 256 colours: a third of the size, without a visible difference."""
    small = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def until(find: Callable[[], list[Any]]) -> list[Any]:
    """Call `find` until it finds something, and return that."""
    for _ in range(300):
        if found := find():
            return found
        time.sleep(0.1)
    raise TimeoutError("the page must show the expected element within 30 s, but does not")


def save(url: str, picture: Picture) -> None:
    """Take a picture into ``docs/``."""
    png = with_few_colours(take(url, picture))
    if len(png) > MOST_BYTES:
        raise ValueError(f"{picture.name}: must have at most {MOST_BYTES:,} bytes, but has {len(png):,}")
    (ROOT / "docs" / f"{picture.name}.png").write_bytes(png)


def main() -> None:
    """Take every picture of the page, or of a report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, help="a page of quoth evaluate --html")
    report = parser.parse_args().report
    if report:
        for picture in REPORT_PICTURES:
            save(report.resolve().as_uri(), picture)
        return
    with serving() as server:
        for picture in PICTURES:
            save(server.url, picture)


if __name__ == "__main__":
    main()
