"""ASGI middleware that serves the API beside the page."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.api.app import CLIENT, PREFIX
from playground.api.errors import ApiError
from playground.ui.server.network import find_address, list_hosts


class ApiMount:
    """Middleware that passes requests below `PREFIX` to the API, except those of other sites' pages.

    A web page can make the browser of a user who can reach this server send requests to it, and browsers name
    the page's origin in such requests. Gradio lets pages of all servers on this machine read the
    responses, so every foreign origin is rejected here. The API has its own keys, so this middleware precedes
    the page's logins and cookies.
    """

    def __init__(self, app: ASGIApp, api: ASGIApp, proxies: int) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            api: the API.
            proxies: number of trusted proxies in front of the server, as for `network.visitor_of`.
        """
        self._app, self._api, self._proxies = app, api, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not (path == PREFIX or path.startswith(f"{PREFIX}/")):
            await self._app(scope, receive, send)
        elif self._is_foreign(scope):
            error = ApiError(403, "Web pages of other sites cannot use this API: call it from a program.")
            await error.respond()(scope, receive, send)
        else:
            await self._api({**scope, CLIENT: find_address(scope, self._proxies)}, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        """Return whether a browser sent the request for a page of another site."""
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return True
        origins = headers.getlist("origin")
        try:
            hosts = {urlsplit(origin).netloc.lower() for origin in origins}
        except ValueError:
            return True
        return not hosts <= list_hosts(scope, self._proxies)
