"""Where a server listens, and what it refuses: each limit has an error of its own, and a flag of ``quoth serve``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Annotated

from quoth.errors import ConfigError

_MIB = 1 << 20
# Hosts that only this machine reaches.
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What one server may be asked, by whom, and for how long. The note of each field is the help of its flag.

    ``token`` is what ``Authorization: Bearer`` must say, ``None``: nobody is asked; it is no flag, since a command line
    can be read by others. ``cors`` are the origins whose pages may ask.

    Raises:
        ConfigError: If a number is out of its range.
    """

    host: Annotated[str, "Where to listen."] = "127.0.0.1"
    port: Annotated[int, "The port; 0: any that is free."] = 8000
    workers: Annotated[int, "Processes; each loads the reader, and they share nothing but the port."] = 1
    engine: Annotated[str, "What runs the network: auto, openvino, onnxruntime or torch."] = "auto"
    precision: Annotated[str | None, "What it computes in: float32, bfloat16 or float16; what measured best."] = None
    threads: Annotated[int | None, "Threads of each engine; the usable cores, shared among the workers."] = None
    deadline_s: Annotated[float, "Seconds from the whole body to the answer."] = 30.0
    read_s: Annotated[float, "Seconds that a client may take to send its headers, and again its body."] = 20.0
    body_bytes: Annotated[int, "Largest JSON body."] = 4 * _MIB
    file_bytes: Annotated[int, "Largest upload of a file."] = 32 * _MIB
    context_characters: Annotated[int, "Longest text of one question, all its contexts together."] = 500_000
    question_characters: Annotated[int, "Longest question."] = 2_000
    explain_characters: Annotated[int, "Longest text that is explained: each token of it comes back."] = 50_000
    contexts: Annotated[int, "Most contexts of one question."] = 100
    rows: Annotated[int, "Most rows of one request."] = 500
    requests: Annotated[int, "Most requests that are held at once."] = 256
    connections: Annotated[int, "Most open connections."] = 2_000
    queue_tokens: Annotated[int, "Most tokens that wait for the engine, and most of one request."] = 500_000
    batch_tokens: Annotated[int, "Most tokens of one engine call, padding included."] = 1_024
    text_bytes: Annotated[int, "Memory for texts that clients keep here."] = 64 * _MIB
    text_s: Annotated[float, "Seconds that a text is kept after it was last asked about."] = 3_600.0
    token: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = [problem for item in fields(self) if (problem := _problem(item.name, getattr(self, item.name)))]
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            problems.append("the token must be printable ASCII and not empty, but is not")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOCAL


def _problem(name: str, value: object) -> str | None:
    """Say what is wrong with a number, if something is."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, float) and not 0 < value < math.inf:
        return f"{flag} must be above 0 seconds, but is {value:g}"
    least, most = (0, 65_535) if name == "port" else (1, None)
    if isinstance(value, int) and value < least:
        return f"{flag} must be at least {least}, but is {value}"
    if isinstance(value, int) and most is not None and value > most:
        return f"{flag} must be at most {most}, but is {value}"
    return None
