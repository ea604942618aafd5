"""The API of version 1.0, and the deprecated forms that still work."""

import subprocess
import sys
from typing import Unpack, get_type_hints

import pytest

import quoth
from quoth import evaluation
from quoth.config import settings_of
from quoth.data.describe import describe
from quoth.evaluation import score
from quoth.reading import Windower
from quoth.reading.survey import survey
from quoth.records import Example, Gold
from quoth.store import ReaderSettings
from quoth.training import TrainConfig, TrainSettings
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


@pytest.mark.parametrize("module", [evaluation, evaluation.report], ids=lambda module: module.__name__)
def test_rows_of_a_report_were_called_row(module):
    with pytest.warns(DeprecationWarning, match=f"{module.__name__}.Row is deprecated, use ScoredRow"):
        assert module.Row is type(score(EXAMPLES, {"1": "cat"}).rows[0])
    with pytest.raises(AttributeError, match="has no attribute 'Rows'"):
        _ = module.Rows


def ran(code, *warn):
    """Run code in a new process, in which nothing has been imported yet."""
    done = subprocess.run([sys.executable, *warn, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


@pytest.mark.long
@pytest.mark.torch
def test_export_and_calibrate_are_functions_whatever_was_imported():
    code = (
        "import quoth, quoth.exporting, quoth.calibrating\n"
        "from quoth import calibrate, compare, export, write_squad, TrainConfig, TrainResult, train\n"
        "print(quoth.export is export, quoth.calibrate is calibrate, quoth.exporting.export is export)\n"
        "print(quoth.data.read_examples.__name__, export.__module__, calibrate.__module__)"
    )
    assert ran(code) == ("True True True\nread_examples quoth.exporting.run quoth.calibrating.run\n", "")


@pytest.mark.long
@pytest.mark.torch
def test_export_of_the_module_that_it_was_still_works():
    code = (
        "from quoth.export import export\nimport quoth\n"
        "try:\n    quoth.export('nowhere', 'x')\nexcept quoth.errors.ReaderError as error:\n    print(error)\n"
        "print(export is quoth.exporting.export)"
    )
    out, err = ran(code, "-W", "default::DeprecationWarning:__main__")
    assert out.startswith("nowhere")
    assert out.endswith("True\n")
    assert err.startswith("<string>:1: DeprecationWarning: the module quoth.export is deprecated: use `from quoth")


@pytest.mark.long
@pytest.mark.torch
def test_train_shows_its_settings():
    config = get_type_hints(TrainConfig)
    assert get_type_hints(TrainSettings) == {name: config[name] for name in settings_of(TrainConfig)}
    assert TrainSettings.__required_keys__ == {item.name for item in settings_of(TrainConfig).values() if item.required}
    assert get_type_hints(quoth.train)["settings"] == Unpack[TrainSettings]
