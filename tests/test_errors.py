"""Errors can be passed from one process to another."""

import copy
import pickle

import pytest

from quoth import errors
from quoth.errors import DataError, JobStoppedError, MissingExtraError, QuothError, TrainingStoppedError

OF_MORE_THAN_A_SENTENCE = (
    DataError("dev.json", [f"problem {number}" for number in range(20)]),
    TrainingStoppedError("stopped", 15),
    JobStoppedError("stopped", 15),
    MissingExtraError("quoth serve", "serve"),
)
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, QuothError)]
OF_A_SENTENCE = [kind("a sentence") for kind in KINDS if kind not in map(type, OF_MORE_THAN_A_SENTENCE)]


@pytest.mark.parametrize("error", [*OF_MORE_THAN_A_SENTENCE, *OF_A_SENTENCE], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("carried", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_errors_are_unchanged_by_pickling(error, carried):
    error.add_note("seen on the way")
    other = carried(error)
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
