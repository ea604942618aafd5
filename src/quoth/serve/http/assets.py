"""The page and the documentation page: files of this package, each with a policy that lets a browser load no others."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The page makes no markup out of strings, and so a browser may refuse to.
_PAGE = f"{_OWN}; require-trusted-types-for 'script'; trusted-types 'none'"
# Swagger UI writes style attributes.
_SWAGGER = _OWN.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class _Files(StaticFiles):
    """Files of a package, with a policy."""

    def __init__(self, package: str, folder: str, policy: str) -> None:
        super().__init__(packages=[(package, folder)])
        self._policy = policy

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = self._policy
        # Asked for anew each time, and answered with 304 where nothing changed: after an update nothing old stays.
        response.headers["Cache-Control"] = "no-cache"
        return response


def asset_routes() -> APIRouter:
    """Return the routes of the page, and of the documentation with Swagger UI."""
    page, docs = _Files("quoth.serve", "page", _PAGE), _Files("quoth.serve", "docs", _SWAGGER)
    router = APIRouter()
    router.routes += [
        Route("/", _index(page), include_in_schema=False),
        Mount("/page", page),
        Route("/docs", _index(docs), include_in_schema=False),
        Mount("/docs/ui", _Files("fastapi_offline", "static", _SWAGGER)),
        Mount("/docs", docs),
    ]
    return router


def _index(files: _Files) -> Any:
    async def index(request: Any) -> Response:
        return await files.get_response("index.html", request.scope)

    return index
