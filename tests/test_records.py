"""Records: what is made in a hurry is what the class itself makes."""

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from quoth.records import Answer, Prediction, Span, fast_constructor

ANSWER = ("1972", Span(4, 8), 3.5, 0.5, 1, 2)


@pytest.mark.parametrize(
    ("record", "fields"),
    [(Span, (1, 2)), (Answer, ANSWER), (Prediction, ("q1", (Answer(*ANSWER),), 1.0, True, "so", 2, 0.25))],
)
def test_a_fast_constructor_makes_the_same_records(record, fields):
    made, known = fast_constructor(record)(*fields), record(*fields)
    assert type(made) is record
    assert (made, repr(made), hash(made)) == (known, repr(known), hash(known))
    assert pickle.loads(pickle.dumps(made)) == replace(made) == known
    for name in record.__slots__:
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)


def test_a_fast_constructor_knows_defaults_and_names():
    assert fast_constructor(Answer)(*ANSWER[:3], probability=0.5) == Answer(*ANSWER[:4])
