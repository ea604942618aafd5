"""The training configuration: recipes, flags and keyword arguments. Needs no torch."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from quoth.cli import main
from quoth.config import settings_of
from quoth.errors import ConfigError
from quoth.training.config import TrainConfig, load_recipe

ROOT = Path(__file__).parent.parent
SETTINGS = settings_of(TrainConfig)


def test_a_recipe_becomes_the_configuration(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('base = "b"\nepochs = 3\nlearning_rate = 2e-5\n')
    config = TrainConfig.of(load_recipe(recipe))
    assert (config.base, config.epochs, config.learning_rate) == ("b", 3.0, 2e-5)


def test_the_tutorials_recipe_has_the_tutorials_settings():
    config = TrainConfig.of(load_recipe(ROOT / "recipes/tutorial.toml"))
    assert config.base == "distilbert-base-cased"
    assert (config.learning_rate, config.epochs, config.weight_decay, config.batch_size) == (2e-5, 3.0, 0.01, 8)
    assert (config.max_tokens, config.overlap, config.eval_steps, config.save_steps) == (384, 128, None, None)


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.name)
def test_every_recipe_is_a_configuration(recipe):
    TrainConfig.of({"base": "any", **tomllib.loads(recipe.read_text())})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"base": "b", "epoch": 3}, "epoch is unknown; did you mean epochs?"),
        ({"base": "b", "epochs": "three"}, "epochs must be of type float"),
        ({"base": "b", "batch_size": 1.5}, "batch_size must be of type int"),
        ({"base": "b", "batch_size": True}, "batch_size must be of type int"),
        ({"base": "b", "batch_size": 0}, "batch_size must be at least 1, but is 0"),
        ({"base": "b", "warmup": 2.0}, "warmup must be from 0 to 1"),
        ({"base": "b", "learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"base": "b", "learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"base": "b", "precision": "half"}, "precision must be one of"),
        ({"base": "b", "weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({}, "base must be given"),
    ],
)
def test_an_invalid_value_is_named(values, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        TrainConfig.of(values, "here")


@pytest.mark.parametrize(("content", "words"), [(b"base = ", "must be TOML"), (b'base = "\xff"', "must be TOML")])
def test_a_broken_recipe_is_reported(tmp_path, content, words):
    (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_recipe(tmp_path / "r.toml")


def test_a_missing_recipe_is_reported(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_every_field_has_help_and_a_plain_type():
    assert list(SETTINGS) == [item.name for item in fields(TrainConfig)]
    for name, setting in SETTINGS.items():
        assert setting.kind in (int, float, str, bool), name
        assert setting.help.endswith("."), name


def test_only_fields_that_affect_the_weights_make_a_run_different():
    config = TrainConfig(base="b")
    same = {**config.to_dict(), "run_name": "x", "threads": 7, "tracking": False}
    assert config.differences(same) == []
    assert config.differences({**same, "seed": 3}) == ["seed was 3 and is 0"]


def test_every_field_is_a_flag_that_shows_its_help_and_default(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--help"])
    assert exit_.value.code == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, setting in SETTINGS.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert setting.help.split()[0] in shown
        if setting.default is not None:
            assert f"({str(setting.default).lower()})" in shown, name
