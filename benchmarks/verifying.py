"""Claim: ``quoth.verify`` checks 1,000 quotes against 10 MB of text in at most 10 seconds.

The quotes are cut from the Wikipedia sample; a quarter is unchanged, a quarter has other case or spaces, a quarter a
changed word, and a quarter an additional word or another order. In the second row every quote has a changed word::

    python benchmarks/verifying.py
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import time
from collections import Counter
from pathlib import Path

import harness
from quoth.verification import verify

QUOTES, CHARACTERS, AT_MOST_S = 1_000, 10_000_000, 10.0


def main() -> None:
    """Measure both mixes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("QUOTH_DATA")
    parser.add_argument("--data", default=data, required=not data, help="the folder of the data (QUOTH_DATA)")
    harness.add_no_record(parser)
    options = parser.parse_args()
    with gzip.open(Path(options.data) / "text" / "wikipedia-sample.txt.gz", "rt", encoding="utf-8") as file:
        text = file.read(CHARACTERS)
    rows, slowest = [], 0.0
    for name, kinds in (("mixed", range(4)), ("a word changed in each", (2,))):
        quotes = cut(text, list(kinds))
        before = time.perf_counter()
        found = verify(quotes, text)
        seconds = time.perf_counter() - before
        slowest = max(slowest, seconds)
        counts = Counter(verdict.status for verdict in found)
        rows.append((name, f"{seconds:.1f}", *(counts[status] for status in ("exact", "near", "absent"))))
    bar = harness.Bar("the slower one", slowest, AT_MOST_S, at_most=True, unit=" s")
    harness.record(
        "Verifying: 1,000 quotes against 10 MB",
        [*harness.table(("quotes", "s", "exact", "near", "absent"), *rows), "", str(bar)],
        keep=not options.no_record,
    )


def cut(text: str, kinds: list[int]) -> list[str]:
    """Cut quotes of 40 to 160 characters from a text, and change them: 0 is no change."""
    draw = random.Random(7)
    quotes = []
    for number in range(QUOTES):
        start = draw.randrange(len(text) - 200)
        words = text[start : start + draw.randrange(40, 160)].split(" ")[1:-1]
        middle, kind, odd = len(words) // 2, kinds[number % len(kinds)], number % 2
        if kind == 2:
            words[middle] = "zebra"
        elif kind == 3 and odd:
            draw.shuffle(words)
        elif kind == 3:
            words.insert(middle, "not")
        quote = ("  " if kind == 1 else " ").join(words)
        quotes.append(quote.upper() if kind == 1 and number % 8 == 1 else quote)
    return quotes


if __name__ == "__main__":
    main()
