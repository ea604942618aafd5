"""The names and forms that version 1.0 will keep, and what still works of older ones."""

import pytest

from quoth.data.describe import describe
from quoth.evaluation import score
from quoth.reading import Windower
from quoth.reading.survey import survey
from quoth.records import Example, Gold
from quoth.store import ReaderSettings
from support.readers import tiny_tokenizer

EXAMPLES = [Example("1", "Who?", "Ana saw a cat.", [Gold("cat", 10)])]


@pytest.mark.parametrize(
    "record",
    [
        describe(EXAMPLES),
        score(EXAMPLES, {"1": "cat"}),
        survey(EXAMPLES, Windower(tiny_tokenizer("wordpiece"), max_tokens=32, overlap=4)),
        ReaderSettings(),
    ],
    ids=lambda record: type(record).__name__,
)
def test_to_dict_was_called_to_json(record):
    with pytest.warns(DeprecationWarning, match=f"{type(record).__name__}.to_json is deprecated, use to_dict"):
        assert record.to_json() == record.to_dict()


def test_options_of_to_json_are_those_of_to_dict():
    report = score(EXAMPLES, {"1": "cat"})
    with pytest.warns(DeprecationWarning, match="use to_dict"):
        assert "slices" in report.to_json(slices=True)
