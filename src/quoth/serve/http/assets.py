"""Static files of the web page and the API documentation, with a strict content security policy."""

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
# The page never creates markup from strings, so trusted types can be enforced.
_PAGE = f"{_OWN}; require-trusted-types-for 'script'; trusted-types 'none'"
# Swagger UI uses style attributes.
_SWAGGER = _OWN.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class _Files(StaticFiles):
    """Static files of a package, with a content security policy."""

    def __init__(self, package: str, folder: str, policy: str) -> None:
        super().__init__(packages=[(package, folder)])
        self._policy = policy

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = self._policy
        # Revalidate on each request (304 if unchanged), so that no old files are used after an update.
        response.headers["Cache-Control"] = "no-cache"
        return response


def asset_routes() -> APIRouter:
    """Return the routes of the web page and of the documentation (Swagger UI)."""
    page, docs = _Files("quoth.serve", "page", _PAGE), _Files("quoth.serve", "docs", _SWAGGER)
    router = APIRouter()
    router.routes += [
        Route("/", _index(page), include_in_schema=False),
        Route("/library", _index(page, "library.html"), include_in_schema=False),
        Mount("/page", page),
        Route("/docs", _index(docs), include_in_schema=False),
        Mount("/docs/ui", _Files("fastapi_offline", "static", _SWAGGER)),
        Mount("/docs", docs),
    ]
    return router


def _index(files: _Files, name: str = "index.html") -> Any:
    async def index(request: Any) -> Response:
        return await files.get_response(name, request.scope)

    return index
