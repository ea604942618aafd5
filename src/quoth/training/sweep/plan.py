"""What a sweep tries: which fields of the configuration it varies, over which values, and how often."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quoth.errors import ConfigError
from quoth.training.config import SHOWN, TrainConfig, field_help

_RANGE = ("low", "high", "log")
_WHOLE = {"trials": 1, "seed": 0, "prune_after": 1}


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of a field between two bounds, both included.

    Attributes:
        low, high: The bounds; whole numbers where the field is one.
        log: Whether small values are tried as often as large ones: for rates.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Choices:
    """The values of a field, as they are listed."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a sweep tries.

    Attributes:
        trials: How many trials there are, failed and pruned ones among them.
        vary: Field of the configuration to the values that are tried.
        seed: Seed of the sampler.
        prune_after: From so many finished trials on, a trial is stopped where its F1 is below the median of those that
            were evaluated at the same percentage of their steps; ``None``: never.
    """

    trials: int
    vary: Mapping[str, Range | Choices]
    seed: int = 0
    prune_after: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)

    @classmethod
    def load(cls, file: str | Path) -> SweepPlan:
        """Read a TOML file.

        Example::

            trials = 8
            prune_after = 3

            [vary]
            learning_rate = { low = 2e-5, high = 4e-4, log = true }
            batch_size = [16, 32]

        Raises:
            ConfigError: If the file cannot be read, or makes no sense; it names every problem.
        """
        try:
            document = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{file}: must describe a sweep, but cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: must be TOML, but cannot be read: {error}") from error
        return cls.of(document, str(file))

    @classmethod
    def of(cls, document: Mapping[str, Any], where: str = "sweep") -> SweepPlan:
        """Check plain values, and make the plan.

        Raises:
            ConfigError: If they make no sense; it names every problem.
        """
        problems = [*_head_problems(document), *_vary_problems(document.get("vary"))]
        if problems:
            raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))
        vary = {name: _values(name, spec) for name, spec in document["vary"].items()}
        return cls(vary=vary, **{name: document[name] for name in _WHOLE if name in document})


def _values(name: str, spec: Any) -> Range | Choices:
    """Make what is tried of one field out of its checked description."""
    kind, _, _ = field_help()[name]
    if isinstance(spec, list):
        return Choices(tuple(kind(value) for value in spec))
    return Range(kind(spec["low"]), kind(spec["high"]), spec.get("log", False))


def _unknown(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, 1)
    return f"is unknown; do you mean {near[0]}?" if near else f"is unknown; known are {', '.join(known)}"


def _head_problems(document: Mapping[str, Any]) -> Iterator[str]:
    for name in document:
        if name not in (*_WHOLE, "vary"):
            yield f"{name} {_unknown(name, (*_WHOLE, 'vary'))}"
    if "trials" not in document:
        yield "trials must be given: how many to run"
    for name, least in _WHOLE.items():
        value = document.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"{name} must be a whole number of at least {least}, but is {value!r}"


def _vary_problems(vary: Any) -> Iterator[str]:
    if not isinstance(vary, dict) or not vary:
        yield "[vary] must name at least one field and its values, but there is none"
        return
    fields = field_help()
    open_to_all = [name for name in fields if name not in SHOWN]
    for name, spec in vary.items():
        if name in SHOWN:
            yield f"vary: {name} cannot be varied: it only says where a run is shown"
        elif name not in fields:
            yield f"vary: {name} {_unknown(name, open_to_all)}"
        elif isinstance(spec, list):
            yield from _choice_problems(name, spec)
        elif isinstance(spec, dict):
            yield from _range_problems(name, fields[name][0], spec)
        else:
            yield f"vary: {name} must be a list of values, or low and high, but is {spec!r}"


def _choice_problems(name: str, values: list[Any]) -> Iterator[str]:
    if not values:
        yield f"vary: {name} must list at least one value, but lists none"
    for value in values:
        yield from _value_problem(name, value)


def _range_problems(name: str, kind: type, spec: Mapping[str, Any]) -> Iterator[str]:
    for key in spec:
        if key not in _RANGE:
            yield f"vary: {name}.{key} {_unknown(key, _RANGE)}"
    if kind not in (int, float):
        yield f"vary: {name} must be a list of values: it is no number"
        return
    missing = [key for key in ("low", "high") if key not in spec]
    if missing:
        yield f"vary: {name} must have low and high, but lacks {' and '.join(missing)}"
        return
    wrong = [problem for key in ("low", "high") for problem in _value_problem(name, spec[key])]
    yield from wrong
    if not isinstance(spec.get("log", False), bool):
        yield f"vary: {name}.log must be true or false, but is {spec['log']!r}"
    if wrong:
        return
    if not spec["low"] < spec["high"]:
        yield f"vary: {name}.low must be below high ({spec['high']}), but is {spec['low']}"
    if spec.get("log") is True and not spec["low"] > 0:
        yield f"vary: {name}.low must be above 0 where log is true, but is {spec['low']}"


def _value_problem(name: str, value: Any) -> Iterator[str]:
    """Say what the configuration has against one value of a field."""
    try:
        TrainConfig.of({"base": "", name: value}, "vary")
    except ConfigError as error:
        yield f"vary: {str(error).removeprefix('vary: ')}"
