"""Where a server listens, and what it refuses: each limit has an error of its own, and a flag of ``quoth serve``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from quoth.config import ABOVE_ZERO, COUNT, Within, rule_problems
from quoth.errors import ConfigError

_MIB = 1 << 20
# Hosts that only this machine reaches.
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What one server may be asked, by whom, and for how long. The text of each field is the help of its flag.

    ``token`` is what ``Authorization: Bearer`` must say, ``None``: nobody is asked; it is no flag, since a command line
    can be read by others. ``cors`` are the origins whose pages may ask.

    Raises:
        ConfigError: If a number is out of its range.
    """

    host: Annotated[str, "Where to listen."] = "127.0.0.1"
    port: Annotated[int, "The port; 0: any that is free.", Within(least=0, most=65_535)] = 8000
    workers: Annotated[int, "Processes; each loads the reader, and they share nothing but the port.", COUNT] = 1
    engine: Annotated[str, "What runs the network: auto, openvino, onnxruntime or torch."] = "auto"
    precision: Annotated[str | None, "What it computes in: float32, bfloat16 or float16; what measured best."] = None
    threads: Annotated[int | None, "Threads of each engine; the usable cores, shared among the workers.", COUNT] = None
    deadline_s: Annotated[float, "Seconds from the whole body to the answer.", ABOVE_ZERO] = 30.0
    read_s: Annotated[float, "Seconds that a client may take to send its headers, and again its body.", ABOVE_ZERO] = (
        20.0
    )
    body_bytes: Annotated[int, "Largest JSON body.", COUNT] = 4 * _MIB
    file_bytes: Annotated[int, "Largest upload of a file.", COUNT] = 32 * _MIB
    context_characters: Annotated[int, "Longest text of one question, all its contexts together.", COUNT] = 500_000
    question_characters: Annotated[int, "Longest question.", COUNT] = 2_000
    explain_characters: Annotated[int, "Longest text that is explained: each token of it comes back.", COUNT] = 50_000
    contexts: Annotated[int, "Most contexts of one question.", COUNT] = 100
    rows: Annotated[int, "Most rows of one request.", COUNT] = 500
    requests: Annotated[int, "Most requests that are held at once.", COUNT] = 256
    connections: Annotated[int, "Most open connections.", COUNT] = 2_000
    queue_tokens: Annotated[int, "Most tokens that wait for the engine, and most of one request.", COUNT] = 500_000
    batch_tokens: Annotated[int, "Most tokens of one engine call, padding included.", COUNT] = 1_024
    text_bytes: Annotated[int, "Memory for texts that clients keep here.", COUNT] = 64 * _MIB
    text_s: Annotated[float, "Seconds that a text is kept after it was last asked about.", ABOVE_ZERO] = 3_600.0
    token: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = rule_problems(self, lambda name: f"--{name.replace('_', '-')}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            problems.append("the token must be printable ASCII and not empty, but is not")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOCAL
