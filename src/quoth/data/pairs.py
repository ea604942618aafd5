"""Creates unanswerable pairs from answerable data: a question with another, similar paragraph of its article.

A reader learns to abstain from texts that do not answer the question. Texts about other subjects are too easy. Useful
pairs have a paragraph of the same article that shares words with the question, but contains none of its golds.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from quoth.data.terms import terms
from quoth.errors import ConfigError, DataError
from quoth.records import Example, Prediction
from quoth.text import normalize_answer

_NEAREST = 3  # maximum number of most similar paragraphs from which a pair is drawn
_MIN_RELATIVE_SCORE = 0.75  # minimum score of the other paragraphs, relative to the most similar one
_SATURATION, _LENGTH_SHARE = 1.2, 0.75  # k1 and b of BM25, as recommended by Robertson and Zaragoza
_CONFIDENT = 0.5  # pairs that a reader answers with at least this probability are left out
# Words that are frequent in questions and rare in contexts, so that BM25 would give them too much weight.
_QUESTION_WORDS = frozenset(
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


@dataclass(frozen=True, slots=True)
class Pairs:
    """Unanswerable pairs, and the reasons why there are not more.

    Attributes:
        examples: The pairs, grouped by article and context.
        wanted: Requested number of pairs.
        repeated: Ids of questions that are left out because they occur with several contexts of their article, like the
            questions of a form, so that any other context may answer them, too.
        answered: Ids of questions that are left out because a reader answers their pair with a high probability.
    """

    examples: list[Example]
    wanted: int
    repeated: tuple[str, ...]
    answered: tuple[str, ...]


def unanswerable_pairs(examples: Iterable[Example], *, share: float = 0.3, seed: int = 0) -> list[Example]:
    """Pair some of the questions with a paragraph that does not answer them: the examples of :func:`draw_pairs`.

    Raises:
        ConfigError: If the share is out of its range.
        DataError: If no question has such a paragraph.

    Example:
        >>> from quoth import Gold
        >>> first = Example("1", "Who kept the light?", "Ana kept the light.", (Gold("Ana", 0),), "Log")
        >>> second = Example("2", "Who baked?", "Ben baked near the light.", (Gold("Ben", 0),), "Log")
        >>> [pair] = unanswerable_pairs([first, second])
        >>> pair.question, pair.context, pair.golds
        ('Who kept the light?', 'Ben baked near the light.', ())
    """
    return draw_pairs(examples, share=share, seed=seed).examples


def draw_pairs(
    examples: Iterable[Example],
    *,
    share: float = 0.3,
    seed: int = 0,
    answer: Callable[[Sequence[Example]], Iterable[Prediction]] | None = None,
) -> Pairs:
    """Pair some of the questions with a paragraph that does not answer them.

    The paragraph is from the same article (title). It is drawn from the three most similar ones by BM25, or from fewer
    if one is much more similar than the next. It contains no gold of the question, in any spelling that the metrics
    treat as equal, and not all words of a gold in another order. If too few questions share a word with such a
    paragraph, others are paired with a paragraph without a common word. A question that occurs with several contexts of
    its article is left out, and no question is paired with a context with which it already occurs.

    Args:
        examples: The data. Only answerable questions with a title are used.
        share: Number of pairs per answerable question, in (0, 1]. A larger share includes the pairs of a smaller one.
        seed: Random seed. The same data, share and seed give the same pairs.
        answer: Returns a reader's predictions for examples, in order; pairs that it answers with a high probability are
            left out.

    Returns:
        Unanswerable examples, whose ids are those of the questions with ``-unanswerable`` appended. At least one; fewer
        than requested if the data does not have more.

    Raises:
        ConfigError: If the share is out of its range.
        DataError: If no question has such a paragraph.

    Source: Clark and Gardner 2018, "Simple and effective multi-paragraph reading comprehension", train on paragraphs of
        the same document without the answer, chosen by TF-IDF; Robertson and Zaragoza 2009, "The probabilistic
        relevance framework: BM25 and beyond".
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share must be above 0 and at most 1, but is {share}")
    examples = list(examples)
    answerable = [example for example in examples if example.golds and example.title]
    articles = _articles(answerable)
    if all(len(article) < 2 for article in articles.values()):
        raise DataError(
            "data",
            [
                "data must contain an article of several contexts with golds, but contain none; the questions of an "
                "article have the same title"
            ],
        )
    repeated = {example.id for example in answerable if articles[example.title].is_repeated(example)}
    askable = [example for example in answerable if example.id not in repeated]
    wanted = max(1, round(share * len(answerable)))
    drawn = _drawn(askable, articles, {(_asked(each), each.context) for each in examples}, random.Random(seed))
    chosen, answered = _unanswered(drawn, wanted, answer)
    if not chosen:
        raise DataError("data", [_no_pairs_message(len(answerable), len(repeated), len(answered))])
    places = {context: place for place, context in enumerate(dict.fromkeys(each.context for each in answerable))}
    titles = {title: place for place, title in enumerate(articles)}
    chosen.sort(key=lambda pair: (titles[pair.title], places[pair.context], pair.id))
    order = [example.id for example in answerable if example.id in repeated]
    return Pairs(chosen, wanted, tuple(order), tuple(answered))


def _no_pairs_message(answerable: int, repeated: int, answered: int) -> str:
    must = "data must contain a question that another context of its article does not answer, but contain none"
    why = []
    if repeated:
        why.append(f"{repeated:,} of {answerable:,} occur with several contexts of their article, as in a form")
    if answered:
        why.append(f"the reader answers {answered:,} with a high probability")
    return "; ".join([must, *why])


def _asked(example: Example) -> str:
    """Return the normalized question."""
    return normalize_answer(example.question)


def _drawn(
    examples: Sequence[Example], articles: Mapping[str, _Article], taken: set[tuple[str, str]], draw: random.Random
) -> Iterator[Example]:
    """Yield pairs in random order: first those that share a word with their paragraph, then the others."""
    order = list(range(len(examples)))
    draw.shuffle(order)
    without_similar: list[int] = []
    for index in order:
        pair = _pair(examples[index], articles[examples[index].title], taken, draw)
        if pair is None:
            without_similar.append(index)
        else:
            yield pair
    for index in without_similar:
        example = examples[index]
        contexts = articles[example.title].without_common_words(example)
        free = [context for context in contexts if (_asked(example), context) not in taken]
        if free:
            yield _as_pair(example, draw.choice(free), taken)


def _pair(example: Example, article: _Article, taken: set[tuple[str, str]], draw: random.Random) -> Example | None:
    free = (each for each in article.not_answering(example) if (_asked(example), each[1]) not in taken)
    near = list(islice(free, _NEAREST))
    if not near:
        return None
    close = [context for score, context in near if score >= _MIN_RELATIVE_SCORE * near[0][0]]
    return _as_pair(example, draw.choice(close), taken)


def _as_pair(example: Example, context: str, taken: set[tuple[str, str]]) -> Example:
    taken.add((_asked(example), context))
    return replace(example, id=f"{example.id}-unanswerable", contexts=(context,), golds=())


def _unanswered(
    drawn: Iterator[Example], wanted: int, answer: Callable[[Sequence[Example]], Iterable[Prediction]] | None
) -> tuple[list[Example], list[str]]:
    """Return the requested number of pairs, and the ids of those left out because a reader answers them."""
    chosen: list[Example] = []
    answered: list[str] = []
    while batch := list(islice(drawn, wanted - len(chosen))):
        if answer is None:
            chosen.extend(batch)
            break
        for prediction in answer(batch):
            pair, best = prediction.example, prediction.best
            if best is not None and best.probability >= _CONFIDENT:
                answered.append(pair.id.removesuffix("-unanswerable"))
            else:
                chosen.append(pair)
    return chosen, answered


class _Paragraph:
    """A context, prepared for the search and for the comparison with golds."""

    def __init__(self, context: str) -> None:
        self.context = context
        self.folded = context.casefold()
        self.normalized = normalize_answer(context).casefold()
        self.words = frozenset(self.normalized.split())
        self.terms = Counter(terms(context))

    def contains(self, gold: str) -> bool:
        """Return True if it contains a gold, also inside a word, or all words of a gold."""
        normalized = normalize_answer(gold).casefold()
        return (
            normalized in self.normalized or gold.casefold() in self.folded or self.words.issuperset(normalized.split())
        )


class _Article:
    """The paragraphs of one title, with their questions and BM25 statistics."""

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
        """Add a question: its golds count for all its occurrences in the article."""
        self._asked[_asked(example)].append(example)

    def is_repeated(self, example: Example) -> bool:
        """Return True if a question occurs with several contexts of the article."""
        return len({same.context for same in self._asked[_asked(example)]}) > 1

    def _golds(self, example: Example) -> set[str]:
        return {gold.text for same in self._asked[_asked(example)] for gold in same.golds or ()}

    def without_common_words(self, example: Example) -> list[str]:
        """Return the other contexts that share no word with a question and contain none of its golds."""
        asked, golds = {*terms(example.question)} - _QUESTION_WORDS, self._golds(example)
        return [
            paragraph.context
            for paragraph in self._paragraphs
            if paragraph.context != example.context
            and not asked & paragraph.terms.keys()
            and not any(map(paragraph.contains, golds))
        ]

    def not_answering(self, example: Example) -> Iterator[tuple[float, str]]:
        """Yield contexts that share words with a question but do not answer it, best first, with their BM25 scores."""
        # The contexts with the same question are among those that contain its golds.
        golds = self._golds(example)
        scores: defaultdict[int, float] = defaultdict(float)
        # Sorted, because the order of a set of strings differs between processes, and sums of floats depend on it.
        for term in sorted({*terms(example.question)} - _QUESTION_WORDS):
            for index, weight in self._postings.get(term, ()):
                scores[index] += weight
        for index in sorted(scores, key=lambda index: (-scores[index], index)):
            paragraph = self._paragraphs[index]
            if not any(map(paragraph.contains, golds)):
                yield scores[index], paragraph.context


def _articles(examples: Sequence[Example]) -> dict[str, _Article]:
    """Return the articles by title, in order; each distinct context is tokenized once."""
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
