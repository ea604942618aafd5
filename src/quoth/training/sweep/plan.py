"""The plan of a sweep: the fields that it varies, their values, and the number of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from quoth.config import COUNT, Within, read_toml, settings_of, value_problems
from quoth.errors import ConfigError
from quoth.names import unknown_name
from quoth.training.config import SHOWN, TrainConfig

_RANGE = ("low", "high", "log")


@dataclass(frozen=True, slots=True)
class Range:
    """A range of numbers, bounds included.

    Attributes:
        low, high: The bounds; integers if the field is an integer.
        log: Whether values are sampled on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The plan of a sweep.

    Attributes:
        trials: Number of trials, including failed and pruned ones.
        vary: Configuration field to its candidate values.
        seed: Seed of the sampler.
        prune_after: After this many finished trials, a trial is stopped if its F1 is below the median of the trials
            at the same percentage of their steps; ``None``: never.
    """

    trials: Annotated[int, "Number of trials.", COUNT]
    vary: Mapping[str, Range | Choices]
    seed: Annotated[int, "Seed of the sampler.", Within(least=0)] = 0
    prune_after: Annotated[int | None, "Number of finished trials after which bad trials are stopped early.", COUNT] = (
        None
    )

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
            ConfigError: If the file cannot be read, or is invalid; the message lists all problems.
        """
        return cls.of(read_toml(Path(file), "a sweep"), str(file))

    @classmethod
    def of(cls, document: Mapping[str, Any], where: str = "sweep") -> SweepPlan:
        """Create a plan from plain values.

        Raises:
            ConfigError: If they are invalid; the message lists all problems.
        """
        problems = [*_head_problems(document), *_vary_problems(document.get("vary"))]
        if problems:
            raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))
        vary = {name: _values(name, spec) for name, spec in document["vary"].items()}
        return cls(**{**document, "vary": vary})


def _values(name: str, spec: Any) -> Range | Choices:
    """Return the candidate values of a field from its validated description."""
    kind: Any = settings_of(TrainConfig)[name].kind
    if isinstance(spec, list):
        return Choices(tuple(value if value is None else kind(value) for value in spec))
    return Range(kind(spec["low"]), kind(spec["high"]), spec.get("log", False))


def _head_problems(document: Mapping[str, Any]) -> Iterator[str]:
    yield from value_problems(SweepPlan, document, also=("vary",))
    if "trials" not in document:
        yield "trials must be given: the number of trials"


def _vary_problems(vary: Any) -> Iterator[str]:
    if not isinstance(vary, dict) or not vary:
        yield "[vary] must name at least one field and its values, but there is none"
        return
    fields = settings_of(TrainConfig)
    open_to_all = [name for name in fields if name not in SHOWN]
    for name, spec in vary.items():
        if name in SHOWN:
            yield f"vary: {name} cannot be varied: it only affects tracking"
        elif name not in fields:
            yield f"vary: {unknown_name(name, open_to_all)}"
        elif isinstance(spec, list):
            yield from _choice_problems(name, spec)
        elif isinstance(spec, dict):
            yield from _range_problems(name, fields[name].kind, spec)
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
            yield f"vary: {name}.{unknown_name(key, _RANGE)}"
    if kind not in (int, float):
        yield f"vary: {name} must be a list of values, because it is not a number"
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
        yield f"vary: {name}.low must be above 0 if log is true, but is {spec['low']}"


def _value_problem(name: str, value: Any) -> Iterator[str]:
    """Yield the problems of one value of a field."""
    for problem in value_problems(TrainConfig, {name: value}):
        yield f"vary: {problem}"
