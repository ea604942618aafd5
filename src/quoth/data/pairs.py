"""Unanswerable pairs from answerable data: a question, and another paragraph of its article that seems to answer.

A reader learns when to abstain from texts that do not answer. Texts about something else are too easy: the pair that
teaches is a paragraph of the same article which shares the question's words and holds none of its golds.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from quoth.errors import ConfigError, DataError
from quoth.records import Example
from quoth.text import normalize_answer

_NEAREST = 3  # how many of the closest paragraphs a question's pair is drawn from, at most
_AS_CLOSE = 0.75  # and how much of the closest one's score the others must have
_SATURATION, _LENGTH_SHARE = 1.2, 0.75  # BM25's k1 and b, as Robertson and Zaragoza recommend
_TERM = re.compile(r"\w+")
# Frequent in questions and rare in contexts: their weight would say nothing of what is asked.
_ASKING = frozenset(
    (
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "many",
        "much",
        "did",
        "do",
        "does",
        "name",
    )
)


def unanswerable_pairs(examples: Iterable[Example], *, share: float = 0.3, seed: int = 0) -> list[Example]:
    """Ask some of the questions of a paragraph that does not answer them.

    A pair's paragraph is of the same article (title) and drawn from the three that are closest to the question by BM25,
    or fewer where one is much closer than the next. It holds no gold of the question, nor of the same question asked
    elsewhere in the article, in any spelling that the metrics take for the same; nor all words of a gold in another
    order. A question for which no such paragraph shares a word with it makes room for another.

    Args:
        examples: The data. Only answerable questions with a title are asked again.
        share: Pairs for each answerable question, in (0, 1]. A larger share holds the pairs of a smaller one.
        seed: Of the draw. The same data, share and seed give the same pairs.

    Returns:
        Unanswerable examples, neighbours in article and context together; their ids are those of the questions with
        ``-unanswerable`` added. At least one, but fewer than wanted where articles are too short.

    Raises:
        ConfigError: If the share is out of its range.
        DataError: If no question has such a paragraph.

    Source: Clark and Gardner 2018, "Simple and effective multi-paragraph reading comprehension", train on paragraphs of
        the same document without the answer, chosen by TF-IDF; Robertson and Zaragoza 2009, "The probabilistic
        relevance framework: BM25 and beyond".

    Example:
        >>> from quoth import Gold
        >>> first = Example("1", "Who kept the light?", "Ana kept the light.", (Gold("Ana", 0),), "Log")
        >>> second = Example("2", "Who baked?", "Ben baked near the light.", (Gold("Ben", 0),), "Log")
        >>> [pair] = unanswerable_pairs([first, second])
        >>> pair.question, pair.context, pair.golds
        ('Who kept the light?', 'Ben baked near the light.', ())
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share must be above 0 and at most 1, but is {share}")
    answerable = [example for example in examples if example.golds and example.title]
    articles = _articles(answerable)
    if all(len(article) < 2 for article in articles.values()):
        raise DataError("data", ["data must hold an article (title) of several contexts with golds, but hold none"])
    draw = random.Random(seed)
    order = list(range(len(answerable)))
    draw.shuffle(order)
    pairs = (_pair(answerable[index], articles[answerable[index].title], draw) for index in order)
    chosen = list(islice(filter(None, pairs), max(1, round(share * len(answerable)))))
    if not chosen:
        raise DataError(
            "data", ["data must hold a question that some other context of its article leaves open, but hold none"]
        )
    places = {context: place for place, context in enumerate(dict.fromkeys(each.context for each in answerable))}
    titles = {title: place for place, title in enumerate(articles)}
    return sorted(chosen, key=lambda pair: (titles[pair.title], places[pair.context], pair.id))


def _pair(example: Example, article: _Article, draw: random.Random) -> Example | None:
    near = list(islice(article.silent_about(example), _NEAREST))
    if not near:
        return None
    close = [context for score, context in near if score >= _AS_CLOSE * near[0][0]]
    return replace(example, id=f"{example.id}-unanswerable", context=draw.choice(close), golds=())


class _Paragraph:
    """A context as the search and the comparison with golds see it."""

    def __init__(self, context: str) -> None:
        self.context = context
        self.folded = context.casefold()
        self.normalized = normalize_answer(context).casefold()
        self.words = frozenset(self.normalized.split())
        self.terms = Counter(_TERM.findall(self.folded))

    def holds(self, gold: str) -> bool:
        """Tell whether a gold stands here, in part of a word too, or all its words do."""
        normalized = normalize_answer(gold).casefold()
        return (
            normalized in self.normalized or gold.casefold() in self.folded or self.words.issuperset(normalized.split())
        )


class _Article:
    """The paragraphs of one title, ranked for a question by BM25, and what is asked of which."""

    def __init__(self, paragraphs: Sequence[_Paragraph], rarity: dict[str, float], mean_length: float) -> None:
        self._paragraphs = paragraphs
        self._asked: defaultdict[str, list[Example]] = defaultdict(list)
        self._postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for index, paragraph in enumerate(paragraphs):
            length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * paragraph.terms.total() / mean_length
            for term, count in paragraph.terms.items():
                weight = rarity[term] * count * (_SATURATION + 1) / (count + _SATURATION * length)
                self._postings[term].append((index, weight))

    def __len__(self) -> int:
        return len(self._paragraphs)

    def add(self, example: Example) -> None:
        """Note a question: wherever it is asked again, its golds answer."""
        self._asked[normalize_answer(example.question)].append(example)

    def silent_about(self, example: Example) -> Iterator[tuple[float, str]]:
        """Yield score and text of the contexts that share words with a question and do not answer it, closest first."""
        # The contexts that the same question is asked of are among those that hold its golds.
        golds = {gold.text for same in self._asked[normalize_answer(example.question)] for gold in same.golds or ()}
        scores: defaultdict[int, float] = defaultdict(float)
        # Sorted, since sets of texts have another order in each process, and sums of floats depend on it.
        for term in sorted({*_TERM.findall(example.question.casefold())} - _ASKING):
            for index, weight in self._postings.get(term, ()):
                scores[index] += weight
        for index in sorted(scores, key=lambda index: (-scores[index], index)):
            paragraph = self._paragraphs[index]
            if not any(map(paragraph.holds, golds)):
                yield scores[index], paragraph.context


def _articles(examples: Sequence[Example]) -> dict[str, _Article]:
    """Return the articles by title, in their order; each different context is taken apart once."""
    paragraphs = {context: _Paragraph(context) for context in dict.fromkeys(each.context for each in examples)}
    frequency = Counter(term for paragraph in paragraphs.values() for term in paragraph.terms)
    total = len(paragraphs)
    rarity = {term: math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in frequency.items()}
    mean_length = sum(paragraph.terms.total() for paragraph in paragraphs.values()) / max(1, total)
    contexts: dict[str, dict[str, None]] = {}
    for example in examples:
        contexts.setdefault(example.title, {})[example.context] = None
    articles = {
        title: _Article([paragraphs[context] for context in own], rarity, max(1.0, mean_length))
        for title, own in contexts.items()
    }
    for example in examples:
        articles[example.title].add(example)
    return articles
