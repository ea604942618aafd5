"""Access control: checks the Host header, the origin and the token of a request, from its headers alone."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, MutableMapping, Sequence
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers

from quoth.serve.errors import ApiError
from quoth.serve.settings import ServeSettings

Scope = MutableMapping[str, Any]

# A Host header, or an origin after its scheme: a name, an IPv4 address, or an IPv6 address in brackets, and a port.
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\s:/?#@,\[\]]+))(?::[0-9]*)?", re.ASCII)
# Liveness and readiness probes, which use any address and send no token.
HEALTH = ("/healthz", "/readyz")
# Paths that need no token. Their responses contain no data of requests.
_OPEN = (*HEALTH, "/docs", "/openapi.json", "/page", "/library")


def is_open(scope: Scope) -> bool:
    """Return True if a request needs no token: health checks, the page and the documentation, CORS preflights."""
    path, method = local_path(scope), scope["method"]
    if path in _OPEN or path.startswith(("/docs/", "/page/")) or (path == "/" and method in ("GET", "HEAD")):
        return True
    # Browsers send preflight requests without credentials.
    return method == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)


def local_path(scope: Scope) -> str:
    """Return the path of a request below the prefix of the server (``--root-path``)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


class Access:
    """Checks requests against the allowed hosts and origins, and the tokens.

    Args:
        settings: The settings.
        tokens: Returns the tokens that are valid now; if it returns none, no token is needed.
        metrics_tokens: The same, for tokens that only ``/metrics`` accepts.
    """

    def __init__(
        self,
        settings: ServeSettings,
        tokens: Callable[[], Sequence[str]],
        metrics_tokens: Callable[[], Sequence[str]],
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._metrics_tokens = metrics_tokens
        self._hosts = {_normalized(host) for host in settings.allowed_host}
        self._any_host = "*" in self._hosts or (
            not self._hosts and (not settings.is_local or settings.unix_socket is not None)
        )

    @property
    def needs_token(self) -> bool:
        """Whether requests must have a token."""
        return bool(self._tokens())

    def problem(self, scope: Scope) -> ApiError | None:
        """Return why a request is rejected; ``None`` if it is allowed."""
        path = local_path(scope)
        if path in HEALTH:
            return None
        headers = Headers(scope=scope)
        has_token = self._has_token(path, headers)
        # Prometheus may use any host name; pages of other origins do not have the token.
        if not (path == "/metrics" and has_token) and (wrong := self._wrong_host(headers)):
            return wrong
        if wrong := self._wrong_origin(scope, headers):
            return wrong
        if has_token is False and not is_open(scope):
            refused = ApiError(
                401, "unauthorized", "the bearer token is missing or wrong", "Send Authorization: Bearer TOKEN."
            )
            refused.headers = {"WWW-Authenticate": "Bearer"}
            return refused
        return None

    def _has_token(self, path: str, headers: Headers) -> bool | None:
        """Return whether a request has a valid token; ``None`` if none is needed."""
        valid = list(self._tokens())
        if path == "/metrics":
            valid += self._metrics_tokens()
        if not valid:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        sent = given.strip().encode("latin-1")
        # Compare with all tokens, so that the response time reveals nothing.
        matches = [hmac.compare_digest(sent, token.encode()) for token in valid]
        return scheme.lower() == "bearer" and any(matches)

    def _wrong_host(self, headers: Headers) -> ApiError | None:
        """Return an error unless the host is allowed; otherwise any web page could send requests by DNS rebinding."""
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and not self._any_host):
            return ApiError(
                400, "bad_request", f"a request must have one Host header, but has {len(hosts)}", "Send one.",
            )  # fmt: skip
        if self._any_host or self._is_allowed(host_of(hosts[0])):
            return None
        return ApiError(
            421, "host_not_allowed", f"the Host header must be a name of this server, but is {hosts[0][:100]}",
            "Use http://127.0.0.1, or ask the operator of this server to allow the name (allowed_host).",
        )  # fmt: skip

    def _is_allowed(self, host: str) -> bool:
        if host in self._hosts or any(host.endswith(name[1:]) for name in self._hosts if name.startswith("*.")):
            return True
        return self._settings.is_local and (is_loopback(host) or host == self._settings.host.lower())

    def _wrong_origin(self, scope: Scope, headers: Headers) -> ApiError | None:
        """Return an error for cross-origin requests that are not allowed."""
        origin = headers.get("origin")
        if origin is not None:
            if self._is_own(origin, headers.get("host", "")) or {origin, "*"} & set(self._settings.cors):
                return None
            if scope["method"] == "OPTIONS":
                return None  # a preflight request: CORSMiddleware does not allow it, or its path does not exist
        elif not self._is_cross_site(scope, headers):
            return None
        whose = (origin or "another origin")[:100]
        return ApiError(
            403, "origin_not_allowed", f"the page that sends the request must be of this server, but is of {whose}",
            "Ask the operator of this server to allow the origin (cors).",
        )  # fmt: skip

    @staticmethod
    def _is_own(origin: str, host: str) -> bool:
        """Return True if an origin is that of the Host header. Browsers send "null" for pages without an origin."""
        scheme, _, netloc = origin.lower().partition("://")
        return bool(netloc) and netloc == _without_default_port(host, scheme)

    def _is_cross_site(self, scope: Scope, headers: Headers) -> bool:
        """Return True for requests without Origin from another site, unless a user followed a link to this one."""
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return False
        follows_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] in ("GET", "HEAD")
        return not (follows_link and is_open(scope))


def host_of(header: str) -> str:
    """Return the host of a Host header, normalized, without port and brackets; "" if it is not a valid one."""
    found = _HOST.fullmatch(header.strip().lower())
    return "" if found is None else _normalized(found["v6"] or found["name"])


def _normalized(host: str) -> str:
    """Return a host name in lower case, or the shortest form of an IPv6 address, which has several."""
    try:
        return str(ip_address(host.lower()))
    except ValueError:
        return host.lower()


def is_loopback(host: str) -> bool:
    """Return True for names and addresses that are reachable from this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _without_default_port(host: str, scheme: str) -> str:
    """Return a Host header in the form of an origin: lower case, without the default port of the scheme."""
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return host.strip().lower().removesuffix(default) if default else host.strip().lower()
