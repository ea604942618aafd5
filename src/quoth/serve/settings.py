"""Settings of the server: its address and limits. Each limit has its own error and a flag of ``quoth serve``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from quoth.config import ABOVE_ZERO, COUNT, Within, rule_problems
from quoth.errors import ConfigError

_MIB = 1 << 20
# Host names that are reachable from this machine only.
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Settings of the server. The text of each field is the help of its flag.

    ``token`` is the required bearer token; ``None``: no authentication. It is not a flag, because other users can read
    command lines. ``cors`` are the origins that may send requests from web pages.

    Raises:
        ConfigError: If a number is out of its range.
    """

    host: Annotated[str, "Host name or address to listen on."] = "127.0.0.1"
    port: Annotated[int, "The port; 0: any free port.", Within(least=0, most=65_535)] = 8000
    corpus: Annotated[str | None, "A corpus (quoth index) whose documents can be asked, searched and listed."] = None
    workers: Annotated[int, "Worker processes; each loads the reader, and they share only the port.", COUNT] = 1
    engine: Annotated[str, "What runs the network: auto, openvino, onnxruntime or torch."] = "auto"
    precision: Annotated[str | None, "What it computes in: float32, bfloat16 or float16; what measured best."] = None
    threads: Annotated[int | None, "Threads of each engine; the usable cores, shared among the workers.", COUNT] = None
    deadline_s: Annotated[
        float, "Deadline of a request, from the complete body to the answer, in seconds.", ABOVE_ZERO
    ] = 30.0
    read_s: Annotated[float, "Timeout for the headers, and again for the body, in seconds.", ABOVE_ZERO] = 20.0
    body_bytes: Annotated[int, "Maximum size of a JSON body.", COUNT] = 4 * _MIB
    file_bytes: Annotated[int, "Maximum size of an uploaded file.", COUNT] = 32 * _MIB
    context_characters: Annotated[int, "Maximum length of all contexts of a question together.", COUNT] = 500_000
    question_characters: Annotated[int, "Longest question.", COUNT] = 2_000
    explain_characters: Annotated[
        int, "Maximum length of a text to explain; each of its tokens is returned.", COUNT
    ] = 50_000
    contexts: Annotated[int, "Maximum number of contexts per question.", COUNT] = 100
    rows: Annotated[int, "Maximum number of rows per request.", COUNT] = 500
    requests: Annotated[int, "Maximum number of concurrent requests.", COUNT] = 256
    connections: Annotated[int, "Maximum number of open connections.", COUNT] = 2_000
    queue_tokens: Annotated[int, "Maximum tokens in the queue, and of one request.", COUNT] = 500_000
    batch_tokens: Annotated[int, "Maximum tokens per batch, padding included.", COUNT] = 1_024
    text_bytes: Annotated[int, "Memory for stored texts.", COUNT] = 64 * _MIB
    text_s: Annotated[float, "Seconds that a text is stored after its last use.", ABOVE_ZERO] = 3_600.0
    token: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = rule_problems(self, lambda name: f"--{name.replace('_', '-')}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            problems.append("the token must be printable ASCII and not empty")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def is_local(self) -> bool:
        """Whether the server is reachable from this machine only."""
        return self.host in _LOCAL
