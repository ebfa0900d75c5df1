"""The API as an ASGI app: keys, paths, and answers whole or as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from playground.api.body import read_body
from playground.api.chat import read_chat
from playground.api.completions import read_completion
from playground.api.errors import ApiError
from playground.api.events import follow, run_until_disconnect
from playground.api.lanes import RETRY_LOADING, build_variant, check_ready, describe_model, list_models
from playground.api.parameters import includes_usage, read_switch
from playground.api.questions import Question, admit
from playground.api.replies import Shape
from playground.api.stream import Answers, send_stream
from playground.rate_limits import Gate
from playground.secret import Secret
from playground.session import Session
from playground.types import Done, Request
from playground.unexpected import report_unexpected

log = logging.getLogger(__name__)

PREFIX = "/v1"
"""Path under which the API is served."""
CLIENT = "tandem.api.client"
"""ASGI scope key under which the server passes the client's address, to which the rate limits apply."""
MODELS = f"{PREFIX}/models"
Reader = Callable[[Session, Mapping[str, Any]], tuple[list[Question], Shape]]
ENDPOINTS: Mapping[str, Reader] = {
    f"{PREFIX}/chat/completions": read_chat,
    f"{PREFIX}/completions": read_completion,
}
"""For each path that answers questions, the function that reads its requests."""


class Api:
    """ASGI app that answers the requests below `PREFIX`.

    All requests use the session's engine, so that they share its batches with the page. Nothing is recorded.
    """

    def __init__(self, session: Session, gate: Gate, key: Secret | None) -> None:
        """Create the app.

        Args:
            session: the session whose lanes are served.
            gate: the page's rate limits, which also count the API's messages.
            key: the key that clients must send; None if none is required.
        """
        self._session, self._gate, self._key = session, gate, key
        self._created = int(time.time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            self._check_key(scope)
            await self._route(scope, receive, send)
        except ApiError as error:
            await error.respond()(scope, receive, send)
        except Exception as error:
            await ApiError(500, report_unexpected(log, error)).respond()(scope, receive, send)

    def _check_key(self, scope: Scope) -> None:
        if self._key is None:
            return
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._key.matches(given.strip()):
            what = "is wrong" if given else "is missing"
            raise ApiError(
                401,
                f"The API key {what}: send the server's key as Authorization: Bearer KEY.",
                code="invalid_api_key",
            )

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"].rstrip("/"), scope["method"]
        expected = "POST" if path in ENDPOINTS else "GET"
        if path not in ENDPOINTS and path != MODELS and not path.startswith(f"{MODELS}/"):
            raise ApiError(
                404,
                f"There is no such path: use {MODELS}, {' or '.join(ENDPOINTS)}.",
                code="unknown_url",
            )
        if method != expected:
            raise ApiError(
                405, f"This path accepts {expected} only: send a {expected} request.", allow=expected
            )
        if path in ENDPOINTS:
            body = await read_body(scope, receive)
            await run_until_disconnect(receive, self._answer(ENDPOINTS[path], body, scope, receive, send))
            return
        models = await asyncio.to_thread(self._describe_models, path.removeprefix(MODELS).removeprefix("/"))
        await JSONResponse(models)(scope, receive, send)

    def _describe_models(self, spec: str) -> dict[str, Any]:
        """Return one lane as a model object, or the list of all lanes if `spec` is ""."""
        if not spec:
            return {"object": "list", "data": list_models(self._session, self._created)}
        build_variant(self._session, spec)
        return describe_model(spec, self._created)

    # --- Answers ----------------------------------------------------------------------------------

    async def _answer(
        self, read: Reader, body: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request to one of the `ENDPOINTS`.

        Raises:
            ApiError: the request cannot be answered, and no response has been started.
        """
        check_ready(self._session)
        streams, with_usage = read_switch(body, "stream"), includes_usage(body)
        questions, shape = await asyncio.to_thread(read, self._session, body)
        with admit(questions, self._gate, scope.get(CLIENT, "")):
            requests = await asyncio.to_thread(self._fit, questions)
            async with aclosing(follow(self._session.stream(requests))) as events:
                answers = Answers(events, len(requests), self._check_row)
                if streams:
                    await send_stream(answers, shape, with_usage, send)
                else:
                    replies = await answers.collect()
                    await JSONResponse(shape.write(replies))(scope, receive, send)

    def _fit(self, questions: list[Question]) -> list[Request]:
        """Render and fit the prompts. This takes long for long prompts, so it runs in a thread."""
        return [question.fit(self._session) for question in questions]

    def _check_row(self, row: Done) -> None:
        """Check that a row has been answered.

        Raises:
            ApiError: the request is one that cannot be answered (400), or the engine failed (500). If the
                model is being switched, the client should try again (503).
        """
        if row.reply.error is None:
            return
        if row.is_invalid:
            raise ApiError(400, row.reply.error)
        is_loading = self._session.status().state == "loading"
        raise ApiError(
            503 if is_loading else 500, row.reply.error, retry_after=RETRY_LOADING if is_loading else None
        )
