"""Splits a data set into parts, by the titles of articles or by shares."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Sequence
from pathlib import Path

from quoth.data.near_duplicates import Groups, near_pairs
from quoth.errors import ConfigError, reason_of
from quoth.names import did_you_mean
from quoth.records import Example

# Maximum number of unknown titles in a message, and maximum length of each.
_SHOWN, _MAX_TITLE = 10, 100


def read_titles(path: str | os.PathLike[str]) -> list[str]:
    """Read titles of articles from a UTF-8 file, one per line. Blank lines are skipped.

    Raises:
        ConfigError: If the file cannot be read or has no titles.
    """
    try:
        lines = Path(path).read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise ConfigError(f"{path}: must be a file of titles, but: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: must be UTF-8, but byte {error.start + 1} is not; save the file as UTF-8") from None
    titles = [line.removesuffix("\r") for line in lines if line.strip()]
    if not titles:
        raise ConfigError(f"{path}: must have titles of articles, one per line, but has none")
    return titles


def split(examples: Sequence[Example], titles: Collection[str]) -> tuple[list[Example], list[Example]]:
    """Return the examples of the given articles, and the others, both in order.

    Articles are never split.

    Raises:
        ConfigError: If the data has no article with one of the titles.

    Example:
        >>> examples = [Example("1", "Who?", "Ana.", title="Ferry"), Example("2", "Who?", "Ben.", title="Bakery")]
        >>> inside, outside = split(examples, ["Ferry"])
        >>> inside[0].id, outside[0].id
        ('1', '2')
    """
    wanted = set(titles)
    there = {example.title for example in examples}
    if unknown := [_unknown(title[:_MAX_TITLE], there) for title in dict.fromkeys(titles) if title not in there]:
        # If the file contains something else than titles, all lines are unknown.
        more = [f"and {len(unknown) - _SHOWN:,} more"] if len(unknown) > _SHOWN else []
        raise ConfigError("\n".join([*unknown[:_SHOWN], *more]))
    inside = [example for example in examples if example.title in wanted]
    outside = [example for example in examples if example.title not in wanted]
    return inside, outside


def split_by_shares(examples: Sequence[Example], shares: Sequence[float], *, seed: int = 0) -> list[list[Example]]:
    """Split a data set into parts of given sizes, so that no part shares a text with another.

    Articles are never split (or contexts, if there are no titles), and articles with contexts that are the same or
    nearly the same are in the same part. So parts may be larger or smaller than requested.

    Args:
        examples: The data.
        shares: The share of the questions for each part, in any proportional unit.
        seed: Random seed. The same data, shares and seed give the same parts.

    Returns:
        The parts, in the order of the shares; each is in the order of the data.

    Raises:
        ConfigError: If a share is not above 0, or there are fewer groups of texts than parts.
    """
    parts: list[list[Example]] = [[] for _ in shares]
    for example, part in zip(examples, part_of_each(examples, shares, seed=seed), strict=True):
        parts[part].append(example)
    return parts


def part_of_each(examples: Sequence[Example], shares: Sequence[float], *, seed: int = 0) -> list[int]:
    """Return the index of the part of each example, as :func:`split_by_shares` splits them.

    Raises:
        ConfigError: As :func:`split_by_shares`.
    """
    if len(shares) < 2 or not all(0 < share < float("inf") for share in shares):
        raise ConfigError(f"shares must be two or more numbers above 0, but are {', '.join(map(str, shares))}")
    groups = _groups(examples)
    sizes: dict[int, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    if len(sizes) < len(shares):
        found = f"the data has {len(sizes)} (articles, or contexts without titles; near-duplicates together)"
        raise ConfigError(f"there must be a group of texts for each of the {len(shares)} parts, but {found}")
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    # Large groups first. The sort is stable, so groups of equal size are in random order.
    order.sort(key=sizes.__getitem__, reverse=True)
    wanted = [len(examples) * share / sum(shares) for share in shares]
    filled = [0] * len(shares)
    part_of: dict[int, int] = {}
    for remaining, group in zip(range(len(order), 0, -1), order, strict=True):
        empty = [part for part, size in enumerate(filled) if not size]
        # Each part gets at least one group. Apart from that, the part that lacks the largest share of its size is next.
        parts = empty if remaining <= len(empty) else range(len(shares))
        part = max(parts, key=lambda part: ((wanted[part] - filled[part]) / wanted[part], -part))
        if filled[part] + sizes[group] > wanted[part]:
            part = max(parts, key=lambda part: (wanted[part] - filled[part], -part))
        part_of[group] = part
        filled[part] += sizes[group]
    return [part_of[group] for group in groups]


def _groups(examples: Sequence[Example]) -> list[int]:
    """Return the group number of each example."""
    contexts = list(dict.fromkeys(example.context for example in examples))
    numbers = {context: number for number, context in enumerate(contexts)}
    groups = Groups(len(contexts))
    articles: dict[str, int] = {}
    for example in examples:
        number = numbers[example.context]
        if example.title:
            groups.join(articles.setdefault(example.title, number), number)
    for pair in near_pairs(contexts):
        groups.join(pair.first, pair.second)
    return [groups.find(numbers[example.context]) for example in examples]


def _unknown(title: str, there: Collection[str]) -> str:
    meant = did_you_mean(title, there, quote='"')
    return f'titles must name articles of the data, but no article is called "{title}"{meant}'
