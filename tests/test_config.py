"""Settings of configurations, their rules, and the names of precisions. Needs no torch."""

import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest

from quoth.config import COUNT, OneOf, Within, converted, read_toml, rule_problems, settings_of, value_problems
from quoth.engines.precisions import FROM_ACCELERATE, ONNXRUNTIME, OPENVINO, PRECISIONS, TO_ACCELERATE, runs_in
from quoth.errors import ConfigError
from quoth.names import did_you_mean, nearest, unknown_name


@dataclass(frozen=True)
class Oven:
    """A configuration."""

    loaves: Annotated[int, "How many.", COUNT]
    heat: Annotated[float, "In degrees.", Within(least=50, most=300)] = 220.0
    minutes: Annotated[float | None, "How long.", Within(above=0)] = None
    cooling: Annotated[float, "Minutes to cool.", Within(above=0, most=60)] = 5.0
    mode: Annotated[str, "Which way.", OneOf(("fan", "stone"))] = "stone"
    steam: Annotated[bool, "Whether."] = True
    baker: str = "Ana"


def test_the_settings_are_the_fields_with_a_help():
    settings = settings_of(Oven)
    assert list(settings) == ["loaves", "heat", "minutes", "cooling", "mode", "steam"]
    assert (settings["loaves"].required, settings["heat"].required) == (True, False)
    assert (settings["minutes"].kind, settings["minutes"].optional, settings["heat"].optional) == (float, True, False)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"loaves": 0}, "loaves must be at least 1, but is 0"),
        ({"heat": 301}, "heat must be from 50 to 300, but is 301"),
        ({"heat": 49.9}, "heat must be from 50 to 300, but is 49.9"),
        ({"minutes": 0}, "minutes must be above 0, but is 0"),
        ({"minutes": math.nan}, "minutes must be above 0, but is nan"),
        ({"minutes": math.inf}, "minutes must be above 0 and finite, but is inf"),
        ({"cooling": math.inf}, "cooling must be above 0 and at most 60, but is inf"),
        ({"loaves": 10**400}, f"loaves must be at least 1 and finite, but is {10**400}"),
        ({"heat": -(10**400)}, f"heat must be from 50 to 300, but is {-(10**400)}"),
        ({"mode": "grill"}, "mode must be one of fan, stone, but is 'grill'"),
        ({"loaves": True}, "loaves must be of type int, but is True"),
        ({"loaves": 1.0}, "loaves must be of type int, but is 1.0"),
        ({"loaves": None}, "loaves must be of type int, but is None"),
        ({"steam": 1}, "steam must be of type bool, but is 1"),
        ({"heat": "hot"}, "heat must be of type float, but is 'hot'"),
        ({"hate": 200}, "hate is unknown; did you mean heat?"),
        ({"xyz": 200}, "xyz is unknown; known are loaves, heat, minutes, cooling, mode, steam, baker"),
    ],
)
def test_an_invalid_value_is_reported(values, problem):
    assert list(value_problems(Oven, values, also=("baker",))) == [problem]


def test_valid_values_are_converted():
    values = {"loaves": 1, "heat": 300, "minutes": None, "baker": 7}
    assert list(value_problems(Oven, values, also=("baker",))) == []
    assert converted(Oven, values) == values
    assert type(converted(Oven, values)["heat"]) is float


def test_all_problems_of_a_configuration_are_reported_with_the_users_names():
    assert rule_problems(Oven(1)) == []
    problems = rule_problems(Oven(0, 20.0), lambda name: f"--{name}")
    assert problems == ["--loaves must be at least 1, but is 0", "--heat must be from 50 to 300, but is 20.0"]


@pytest.mark.parametrize(
    ("content", "words"), [(b"x = ", "must be TOML"), (b'x = "\xff"', "must be TOML"), (None, "must be a plan, but")]
)
def test_an_unreadable_settings_file_is_reported(tmp_path, content, words):
    file = tmp_path / "a.toml"
    if content:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"a\.toml: {words}"):
        read_toml(file, "a plan")


def test_the_nearest_name_is_suggested():
    assert nearest("hate", ["steam", "heat"]) == "heat"
    assert nearest("hate", ["heat"], alike=0.9) is None
    assert did_you_mean("hate", ["heat"], quote="'") == "; did you mean 'heat'?"
    assert did_you_mean("xyz", ["heat"]) == ""
    assert unknown_name("xyz", ["heat", "steam"]) == "xyz is unknown; known are heat, steam"


def test_each_runtime_has_its_own_name_of_a_precision():
    assert {FROM_ACCELERATE[name] for name in TO_ACCELERATE.values()} == set(PRECISIONS)
    assert [precision for precision in PRECISIONS if runs_in("openvino", precision)] == list(OPENVINO)
    assert [precision for precision in PRECISIONS if runs_in("onnxruntime", precision)] == list(ONNXRUNTIME)
    assert all(runs_in("torch", precision) for precision in PRECISIONS)


def test_the_training_configuration_imports_no_heavy_package():
    code = "import sys, quoth.training.config; print([name for name in ('numpy', 'tokenizers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
