"""Errors of the API, in the form of OpenAI's API."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

from playground.rate_limits import RateLimitError
from playground.types import InputError

SERVER_ERROR = "server_error"


class ApiError(Exception):
    """Raised to answer a request with an error.

    Args:
        status: HTTP status code.
        sentence: error message for the client: what is wrong, where, and what to do next.
        code: OpenAI's code for the error, if there is one.
        param: the request's parameter that the error is about, if it is about one.
        retry_after: seconds after which the client may try again, if that can help.
        allow: the methods of the path, if the error is that the request has another one.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
        self.code, self.param = code, param
        self.retry_after, self.allow = retry_after, allow

    def to_json(self) -> dict[str, Any]:
        """Return the error as the body of a response, or as a message of a stream."""
        if self.status == 429:
            kind = "rate_limit_error"
        else:
            kind = "invalid_request_error" if self.status < 500 else SERVER_ERROR
        return {"error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code}}

    def respond(self) -> JSONResponse:
        """Return the HTTP response."""
        headers = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        if self.allow is not None:
            headers["allow"] = self.allow
        return JSONResponse(self.to_json(), self.status, headers)


def convert_error(error: InputError, param: str | None = None) -> ApiError:
    """Return the API's error for invalid input or an exceeded rate limit."""
    if isinstance(error, RateLimitError):
        return ApiError(429, str(error), code="rate_limit_exceeded", retry_after=error.wait)
    return ApiError(400, str(error), param=param)
