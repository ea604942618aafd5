"""Settings of the server: its address and limits. Each limit has its own error and a flag of ``quoth serve``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Annotated

from quoth.config import COUNT, SECONDS, OneOf, Within, rule_problems
from quoth.errors import ConfigError
from quoth.serve.tokens import is_token

_MIB = 1 << 20
# A host name without scheme and port, or all subdomains of one; an origin as browsers send it.
_HOST = re.compile(r"\*|(?:\*\.)?[^\s:/?#@,*\[\]]+")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@,*]+")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Settings of the server. The text of each field is the help of its flag.

    ``token`` is the bearer token of all requests, and ``metrics_token`` one that only ``/metrics`` accepts; ``None``:
    no token is needed. They have no flags, because other users can read command lines. ``allowed_host`` has the host
    names that requests may use, and ``cors`` the origins whose web pages may send requests.

    Raises:
        ConfigError: If a number is out of its range.
    """

    host: Annotated[str, "Host name or address to listen on."] = "127.0.0.1"
    port: Annotated[int, "The port; 0: any free port.", Within(least=0, most=65_535)] = 8000
    corpus: Annotated[str | None, "A corpus (quoth index) whose documents can be asked, searched and listed."] = None
    read_only: Annotated[bool, "Refuse files that users add to the corpus on the page."] = False
    workers: Annotated[int, "Worker processes; each loads the reader, and they share only the port.", COUNT] = 1
    engine: Annotated[str, "Runtime of the network: auto, openvino, onnxruntime or torch."] = "auto"
    precision: Annotated[
        str | None, "Number format of the engine: float32, bfloat16 or float16; by default the fastest on this CPU."
    ] = None
    threads: Annotated[
        int | None, "Threads of each engine; by default the usable cores, divided among the workers.", COUNT
    ] = None
    deadline_s: Annotated[
        float, "Deadline of a request, from the complete body to the answer, in seconds.", SECONDS
    ] = 30.0
    read_s: Annotated[float, "Timeout for the headers, and again for the body, in seconds.", SECONDS] = 20.0
    send_s: Annotated[
        float, "Timeout for a client to read the buffered part of its response (64 KiB), in seconds.", SECONDS
    ] = 20.0
    body_bytes: Annotated[int, "Maximum size of a JSON body.", COUNT] = 4 * _MIB
    file_bytes: Annotated[int, "Maximum size of an uploaded file.", COUNT] = 32 * _MIB
    bodies_bytes: Annotated[int, "Memory for the JSON bodies of all requests together.", COUNT] = 64 * _MIB
    responses_bytes: Annotated[
        int, "Memory for all responses that are being sent; beyond that, the slowest client is disconnected.", COUNT
    ] = 64 * _MIB
    uploads_bytes: Annotated[int, "Disk space for all uploaded files that wait for a parser.", COUNT] = 128 * _MIB
    parser_bytes: Annotated[int, "Memory of each of the two parsers of files (address space).", COUNT] = 1_024 * _MIB
    context_characters: Annotated[int, "Maximum length of all contexts of a question together.", COUNT] = 500_000
    question_characters: Annotated[int, "Maximum length of a question.", COUNT] = 2_000
    quote_characters: Annotated[int, "Maximum length of a quote to verify.", COUNT] = 20_000
    explain_characters: Annotated[
        int, "Maximum length of a text to explain; each of its tokens is returned.", COUNT
    ] = 50_000
    contexts: Annotated[int, "Maximum number of contexts per question.", COUNT] = 100
    rows: Annotated[int, "Maximum number of rows per request.", COUNT] = 500
    requests: Annotated[int, "Maximum number of concurrent requests.", COUNT] = 256
    connections: Annotated[int, "Maximum number of open connections.", COUNT] = 2_000
    queue_tokens: Annotated[int, "Maximum tokens in the queue, and of one request.", COUNT] = 500_000
    batch_tokens: Annotated[int, "Maximum tokens per batch, padding included.", COUNT] = 1_024
    jobs: Annotated[int, "Maximum number of jobs at a time in each worker.", COUNT] = 4
    job_rows: Annotated[int, "Maximum number of rows per job.", COUNT] = 10_000
    job_bytes: Annotated[int, "Disk space for all jobs with their results, which all workers share.", COUNT] = 64 * _MIB
    text_bytes: Annotated[int, "Disk space for stored texts, which all workers share.", COUNT] = 64 * _MIB
    text_s: Annotated[float, "Seconds that a text is stored after its last use, and a job after its end.", SECONDS] = (
        3_600.0
    )
    token_file: Annotated[str | None, "A file with a bearer token per line; it is read again when it changes."] = None
    metrics_token_file: Annotated[str | None, "The same for /metrics, which also accepts the other tokens."] = None
    unix_socket: Annotated[str | None, "Path of a Unix socket to listen on, instead of a host and a port."] = None
    tls_certificate: Annotated[str | None, "A file with the server's certificate chain, to serve HTTPS."] = None
    tls_key: Annotated[str | None, "A file with the private key, unless the certificate file contains it."] = None
    trusted_proxies: Annotated[
        str | None, "Addresses of proxies whose X-Forwarded headers are trusted, separated by commas, or *."
    ] = None
    gzip: Annotated[bool, "Compress large responses for clients that accept it."] = True
    log_level: Annotated[str, "What to log: debug, info, warning or error.", OneOf(LEVELS)] = "info"
    log_format: Annotated[str, "How to log: text or json.", OneOf(("text", "json"))] = "text"
    access_log: Annotated[bool, "Log the id, endpoint, status, time and sizes of each request, without texts."] = False
    root_path: Annotated[str, "Prefix of all paths, which a proxy removes, such as /qa."] = ""
    token: str | None = field(default=None, repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    allowed_host: tuple[str, ...] = ()
    cors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        types = [*rule_problems(self, lambda name: f"--{name.replace('_', '-')}"), *_wrong_types(self)]
        problems = types or _contradictions(self)
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def is_local(self) -> bool:
        """Whether the server is reachable from this machine only."""
        if self.unix_socket is not None or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def has_token(self) -> bool:
        """Whether requests must have a token."""
        return self.token is not None or self.token_file is not None

    def check_exposure(self) -> None:
        """Check that a server that other machines can reach is protected.

        Raises:
            ConfigError: If other machines can reach the server, and neither a token nor a host name is required. Any
                web page that their users open could then send requests, by DNS rebinding.
        """
        if not (self.is_local or self.has_token or self.allowed_host):
            raise ConfigError(
                f"--host {self.host}: other machines can reach the server, so it must require a token or certain host "
                "names. Set QUOTH_TOKEN or --token-file, or give --allowed-host NAME"
            )


def _wrong_types(settings: ServeSettings) -> list[str]:
    """Return the problems of the types of the settings without a flag of their own type."""
    problems = [
        f"the token must be text, but is of type {type(token).__name__}"
        for token in (settings.token, settings.metrics_token)
        if not isinstance(token, str | None)
    ]
    for flag, names in (("--allowed-host", settings.allowed_host), ("--cors", settings.cors)):
        if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
            problems.append(f"{flag} must be a tuple of texts, but is {names!r}")
    return problems


def _contradictions(settings: ServeSettings) -> list[str]:
    """Return the problems of settings whose types and ranges are right."""
    problems = [
        "the token must be printable ASCII and not empty"
        for token in (settings.token, settings.metrics_token)
        if token is not None and not is_token(token)
    ]
    root_path = settings.root_path
    if root_path and (not root_path.startswith("/") or root_path.endswith("/")):
        problems.append(f"--root-path must start with / and not end with it, but is {root_path!r}")
    problems += _unusable_names(settings)
    if settings.tls_key and not settings.tls_certificate:
        problems.append("--tls-key needs --tls-certificate")
    for total, single in (("bodies_bytes", "body_bytes"), ("uploads_bytes", "file_bytes")):
        needed, given = getattr(settings, single), getattr(settings, total)
        if given < needed:
            flags = f"--{total.replace('_', '-')} must be at least --{single.replace('_', '-')}"
            problems.append(f"{flags} ({needed:,}), but is {given:,}")
    return problems


def _unusable_names(settings: ServeSettings) -> list[str]:
    """Return the problems of names that no request could match, which would otherwise be ignored silently."""
    problems = [
        f"--allowed-host must be a host name or an address, without scheme and port, or *.NAME, but is {host}"
        for host in settings.allowed_host
        if not (_HOST.fullmatch(host) or _is_address(host))
    ]
    problems += [
        f"--cors must be an origin without a path, such as https://a.example, but is {origin}"
        for origin in settings.cors
        if not _ORIGIN.fullmatch(origin)
    ]
    proxies = settings.trusted_proxies
    if proxies is not None and proxies.strip() != "*" and not all(_is_network(each) for each in proxies.split(",")):
        problems.append(f"--trusted-proxies must be addresses or networks separated by commas, or *, but is {proxies}")
    return problems


def _is_network(text: str) -> bool:
    try:
        ip_network(text.strip())
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
