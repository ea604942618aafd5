"""Settings: the types, bounds and help texts of the fields of a configuration, and their validation.

A field is a setting if its annotation has a help text, and optionally a rule::

    @dataclass(frozen=True, slots=True)
    class Limits:
        rows: Annotated[int, "Maximum number of rows in a request.", COUNT] = 500
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

from quoth.errors import ConfigError, reason_of
from quoth.names import unknown_name

__all__ = [
    "ABOVE_ZERO",
    "COUNT",
    "FINITE",
    "SHARE",
    "OneOf",
    "Setting",
    "Within",
    "check",
    "checked_count",
    "converted",
    "read_toml",
    "rule_problems",
    "settings_of",
    "value_problems",
]


class Rule(Protocol):
    """A rule for the values of a setting."""

    def problem(self, value: Any) -> str | None:
        """Return what the value must be; ``None`` if it is valid."""


@dataclass(frozen=True, slots=True)
class Within:
    """A finite number within bounds.

    Attributes:
        least, most: The inclusive bounds.
        above: An exclusive lower bound.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf

    def problem(self, value: float) -> str | None:
        """Return what the number must be; ``None`` if it is valid."""
        if _is_finite(value) and self.least <= value <= self.most and value > self.above:
            return None
        finite = " and finite" if value > sys.float_info.max else ""
        if self.above > -math.inf:
            return f"above {self.above:g}" + (f" and at most {self.most}" if self.most < math.inf else finite)
        if self.least == -math.inf and self.most == math.inf:
            return "finite"
        least, most = (f"{bound:g}" if isinstance(bound, float) else f"{bound}" for bound in (self.least, self.most))
        return f"from {least} to {most}" if self.most < math.inf else f"at least {least}{finite}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several values."""

    values: tuple[str, ...]

    def problem(self, value: str) -> str | None:
        """Return what the value must be; ``None`` if it is valid."""
        return None if value in self.values else f"one of {', '.join(self.values)}"


COUNT = Within(least=1)
SHARE = Within(least=0, most=1)
ABOVE_ZERO = Within(above=0)
# A time limit, of a year at most: a longer one is a mistake, and timers overflow.
SECONDS = Within(above=0, most=31_536_000)
FINITE = Within()


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a configuration.

    Attributes:
        name: The name.
        kind: The type, without ``None``.
        optional: Whether it may be ``None``.
        help: The help text.
        default: The default; ``None`` if it is required.
        required: Whether it must be given.
        rule: The rule for its values.
    """

    name: str
    kind: type
    optional: bool
    help: str
    default: Any
    required: bool
    rule: Rule | None = None

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value's type or size, without the name; ``None`` if it is valid."""
        if value is None and self.optional:
            return None
        # NumPy's numbers count as numbers, but a bool does not.
        kind = {int: Integral, float: Real}.get(self.kind, self.kind)
        if not isinstance(value, kind) or (isinstance(value, bool) and self.kind is not bool):
            return f"must be of type {self.kind.__name__}, but is {value!r}"
        wanted = self.rule.problem(value) if self.rule else None
        return f"must be {wanted}, but is {value!r}" if wanted else None

    def convert(self, value: Any) -> Any:
        """Convert a valid value: an integer to a float if the setting is a float."""
        return float(value) if self.kind is float and value is not None else value


@cache
def settings_of(config: type) -> Mapping[str, Setting]:
    """Return the settings of a configuration, by name, in the order of its fields."""
    hints = get_type_hints(config, include_extras=True)
    found = {}
    for item in fields(config):
        if get_origin(hints[item.name]) is Annotated:
            kind, text, *rules = get_args(hints[item.name])
            plain, optional = _plain(kind)
            required = item.default is MISSING and item.default_factory is MISSING
            default = None if item.default is MISSING else item.default
            rule = rules[0] if rules else None
            found[item.name] = Setting(item.name, plain, optional, text, default, required, rule)
    return found


def rule_problems(config: object, named: Callable[[str], str] = str) -> list[str]:
    """Return a sentence for each invalid value of a configuration.

    Args:
        config: An instance, possibly during its initialization.
        named: Returns the name of a setting for the messages, such as its flag.
    """
    kind: type = type(config)
    settings = settings_of(kind).values()
    found = ((item.name, item.problem(getattr(config, item.name))) for item in settings)
    return [f"{named(name)} {problem}" for name, problem in found if problem]


def check(config: object, prefix: str = "") -> None:
    """Raise a ConfigError that names all invalid values of a configuration.

    Args:
        config: An instance, possibly during its initialization.
        prefix: Put before the name of each setting.
    """
    if problems := rule_problems(config, lambda name: f"{prefix}{name}"):
        raise ConfigError("; ".join(problems))


def checked_count(name: str, count: int) -> int:
    """Return a maximum number of things as an ``int`` that databases accept as a limit.

    Args:
        name: Its name in the message.
        count: The number.

    Raises:
        ConfigError: If it is not an integer, or below 1.
    """
    setting = Setting(name, int, optional=False, help="", default=None, required=True, rule=COUNT)
    if problem := setting.problem(count):
        raise ConfigError(f"{name} {problem}")
    return min(int(count), sys.maxsize)


def value_problems(config: type, values: Mapping[str, Any], also: Iterable[str] = ()) -> Iterator[str]:
    """Yield the problems of plain values: unknown names, wrong types, values out of bounds.

    Args:
        config: The class of the configuration.
        values: Name to value.
        also: Further valid names, which are checked elsewhere.
    """
    settings = settings_of(config)
    for name, value in values.items():
        if name in settings:
            if problem := settings[name].problem(value):
                yield f"{name} {problem}"
        elif name not in also:
            yield unknown_name(name, (*settings, *also))


def converted(config: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert valid plain values to those of a configuration."""
    settings = settings_of(config)
    return {name: settings[name].convert(value) if name in settings else value for name, value in values.items()}


def read_toml(file: Path, what: str) -> dict[str, Any]:
    """Read a file of settings.

    Args:
        file: A TOML file.
        what: Description of the expected content, for the error message.

    Raises:
        ConfigError: If it cannot be read.
    """
    import tomllib  # here, so that loading a reader does not import it

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: must be {what}, but cannot be read: {reason_of(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: must be TOML, but cannot be read: {error}") from error


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is larger than every float
        return False


def _plain(kind: Any) -> tuple[type, bool]:
    """Split ``int | None`` into ``int`` and whether ``None`` is allowed."""
    if get_origin(kind) is UnionType:
        return next(item for item in get_args(kind) if item is not NoneType), True
    return kind, False
