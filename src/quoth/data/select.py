"""Selects the unlabelled questions to label next: uncertain ones, spread over articles, and some at random.

The caller passes the readers' predictions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from quoth.data.near_duplicates import Groups, near_pairs
from quoth.errors import ConfigError
from quoth.records import Example, Prediction

# The uncertainty of a question is multiplied by this factor for each selected question of the same article.
_SPREAD = 0.7
# Minimum similarity of questions of which only one is selected, 0 to 100.
_NEAR_DUPLICATE = 90


@dataclass(frozen=True, slots=True)
class Selected:
    """A question to label.

    Attributes:
        example: The question with its context.
        why: The reason: "random", or "uncertain" for an uncertain prediction.
        probability: With which a random question was drawn, in (0, 1]; 1 for an uncertain one, which was
            not drawn. Metrics on the random questions alone are valid for all questions.
        uncertainty: In [0, 2]: the mean probability that the readers' decisions are wrong, plus the share of pairs of
            readers whose answers differ.
        suggestion: The first reader's prediction; ``None`` if it is hidden, so that it does not bias the label.
    """

    example: Example
    why: Literal["random", "uncertain"]
    probability: float
    uncertainty: float
    suggestion: Prediction | None


def select(
    predictions: Sequence[Sequence[Prediction]],
    number: int,
    *,
    random_share: float = 0.25,
    hidden_share: float = 0.3,
    seed: int = 0,
) -> list[Selected]:
    """Select questions to label.

    Args:
        predictions: For each reader, its predictions on the same examples, in the same order.
        number: Number of questions to select.
        random_share: Share of the selected questions that is drawn at random from all, in [0, 1].
        hidden_share: Share of the selected questions whose suggestion is hidden, in [0, 1].
        seed: Random seed.

    Returns:
        The selected questions, in random order, so that annotators cannot tell random and uncertain ones apart. Fewer
        than ``number`` if there are not enough; of nearly equal questions about one article, at most one is selected
        for its uncertainty.

    Raises:
        ConfigError: If a number is out of its range.

    Source: Lewis and Gale 1994 (uncertainty sampling); Seung et al. 1992 (query by committee).
    """
    if number < 1:
        raise ConfigError(f"number must be at least 1, but is {number}")
    for name, share in (("random", random_share), ("hidden", hidden_share)):
        if not 0 <= share <= 1:
            raise ConfigError(f"the {name} share must be from 0 to 1, but is {share}")
    first = predictions[0]
    number = min(number, len(first))
    draw = random.Random(seed)
    uncertainties = [_uncertainty(each) for each in zip(*predictions, strict=True)]
    drawn = draw.sample(range(len(first)), round(random_share * number))
    probability = len(drawn) / len(first)
    uncertain = _most_uncertain([each.example for each in first], uncertainties, set(drawn), number - len(drawn))
    picked: list[tuple[int, Literal["random", "uncertain"], float]] = [
        (index, "random", probability) for index in drawn
    ]
    picked += [(index, "uncertain", 1.0) for index in uncertain]
    draw.shuffle(picked)
    hidden = set(draw.sample(range(len(picked)), round(hidden_share * len(picked))))
    return [
        Selected(first[index].example, why, its, uncertainties[index], None if place in hidden else first[index])
        for place, (index, why, its) in enumerate(picked)
    ]


def _uncertainty(predictions: Sequence[Prediction]) -> float:
    """Return the mean probability of error, plus the share of pairs of readers whose answers differ."""
    wrong = sum(1.0 - _confidence(each) for each in predictions) / len(predictions)
    pairs = list(combinations([each.text.casefold() for each in predictions], 2))
    return wrong + (sum(one != other for one, other in pairs) / len(pairs) if pairs else 0.0)


def _confidence(prediction: Prediction) -> float:
    """Return the probability that the decision of a prediction is right."""
    if prediction.best is not None:
        return prediction.best.probability
    return 1.0 if prediction.null_probability is None else prediction.null_probability


def _most_uncertain(
    examples: Sequence[Example], uncertainties: Sequence[float], taken: set[int], number: int
) -> list[int]:
    """Return the indices of the most uncertain examples, spread over articles, without near-duplicates."""
    groups = Groups(len(examples))
    articles = [example.title or example.context for example in examples]
    for pair in near_pairs([example.question for example in examples], at_least=_NEAR_DUPLICATE, shingle=2):
        if articles[pair.first] == articles[pair.second]:
            groups.join(pair.first, pair.second)
    done = {groups.find(index) for index in taken}
    counts = Counter(articles[index] for index in taken)
    left = {index for index in range(len(examples)) if index not in taken and groups.find(index) not in done}
    found: list[int] = []
    while left and len(found) < number:
        best = max(left, key=lambda index: (uncertainties[index] * _SPREAD ** counts[articles[index]], -index))
        found.append(best)
        counts[articles[best]] += 1
        same = groups.find(best)
        left = {index for index in left if groups.find(index) != same}
    return found
