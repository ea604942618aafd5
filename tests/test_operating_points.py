"""Operating points: the probability for each precision, and the share of questions that is then answered."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from quoth.calibrating.operating_points import PRECISIONS, operating_points, question_weights
from quoth.evaluation.calibration import Calibration, Confidence, coverage_at
from support.texts import few

DECISIONS = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.9]), st.booleans()), min_size=1, max_size=30)


def brute_force(decisions, precision):
    """Return the largest share of decisions above a level that reaches the precision."""
    best = 0.0
    for level, _ in decisions:
        given_ = [right for sure, right in decisions if sure >= level]
        if sum(given_) >= precision * len(given_) - 1e-9:
            best = max(best, len(given_) / len(decisions))
    return best


@few
@given(DECISIONS, st.sampled_from([0.5, 0.8, 1.0]))
def test_coverage_equals_brute_force(decisions, precision):
    sure, right = zip(*decisions, strict=True)
    assert coverage_at(sure, right, precision) == pytest.approx(brute_force(decisions, precision))


@few
@given(DECISIONS)
def test_an_operating_point_answers_as_much_as_its_precision_allows(decisions):
    sure, right = (np.array(column, dtype=float) for column in zip(*decisions, strict=True))
    points = operating_points(sure, right, np.full(len(sure), 1 / len(sure)), np.arange(len(sure)))
    assert [point.precision for point in points] == list(PRECISIONS)
    for point in points:
        assert point.answered == pytest.approx(brute_force(decisions, point.precision))
        if point.min_probability is not None:
            assert right[sure >= point.min_probability].mean() == pytest.approx(point.reached)
            assert point.reached >= point.precision - 1e-9
            low, high = point.answered_interval
            assert low <= high


def test_weights_of_unanswerable_questions_sum_to_their_share():
    has = np.array([True] * 30 + [False] * 10)
    weights = question_weights(has, 0.2)
    assert (weights.sum(), weights[~has].sum()) == (pytest.approx(1.0), pytest.approx(0.2))
    assert question_weights([True, True], 0.2).tolist() == [0.5, 0.5]


def test_coverage_decreases_with_the_unanswerable_share():
    # The unanswerable ones are answered at 0.6, so any answer is wrong.
    sure = np.array([0.9] * 50 + [0.6] * 50 + [0.6] * 50)
    right = np.array([1.0] * 100 + [0.0] * 50)
    has = np.array([True] * 100 + [False] * 50)
    few_, many_ = (operating_points(sure, right, question_weights(has, share), np.arange(150)) for share in (0.1, 0.6))
    assert few_[3].min_probability == 0.6
    assert many_[3].min_probability == 0.9
    assert many_[3].answered == pytest.approx(0.2)


def test_a_correct_no_answer_is_a_correct_decision():
    answers = (
        Confidence(0.9, -3.0, exact=True, f1_share=1.0, null_probability=0.05),
        Confidence(0.2, 3.0, exact=False, f1_share=0.0, null_probability=0.8, abstains=True, answerable=False),
        Confidence(0.3, 2.0, exact=True, f1_share=1.0, null_probability=0.6, abstains=True, answerable=True),
    )
    assert [each.decision_probability for each in answers] == [0.9, 0.8, 0.6]
    assert [each.decision_exact for each in answers] == [True, True, False]
    found = Calibration(answers)
    assert found.error == pytest.approx((0.1 + 0.2 + 0.6) / 3)
    assert (found.coverage(1.0), found.coverage(0.6)) == (pytest.approx(2 / 3), 1.0)
    # As quotes, the first and the third are right, and the unanswerable question is wrong, the least sure.
    assert found.quote_coverage(1.0) == pytest.approx(2 / 3)
