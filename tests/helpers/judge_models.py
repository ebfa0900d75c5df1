"""Create judge models on a local judge server and judge conversations with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from playground.judging.client import JudgeModel
from playground.secret import Secret
from playground.session import Session
from playground.types import Conversation, Request, Verdict, to_json
from tests.helpers.judge_server import Asked, Behave, Body, JudgeServer
from tests.helpers.judging import chat, judge, session

KEY = "sk-test-0123456789abcdef"
Serve = Callable[[Behave], JudgeServer]


def model(server: JudgeServer | str, **changes: Any) -> JudgeModel:
    """Create a judge model that uses a local server or the server at a URL."""
    url = server if isinstance(server, str) else server.url
    options: dict[str, Any] = {"model": "judge", "server": url, "key": Secret(KEY), "timeout": 20}
    return JudgeModel(**options | changes)


def text_only(say: Behave) -> Behave:
    """Return a server behaviour that rejects structured output requests and handles all others with `say`."""

    def behave(asked: Asked, body: Body) -> None:
        if "response_format" in body:
            asked.fail(400, "response_format of type json_schema is not supported")
        else:
            say(asked, body)

    return behave


def put(server: JudgeServer) -> list[Body]:
    """Return the bodies of the requests accepted by a `text_only` server."""
    return [body for body in server.bodies if "response_format" not in body]


def says(text: str | None, **fields: Any) -> Behave:
    return text_only(lambda asked, body: asked.say(text, **fields))


def judged(
    tmp_path: Path,
    server: JudgeServer | str,
    rubric: str = "pairwise",
    answer: str | Callable[[Request], str] = "Paris.",
    messages: Sequence[str] = ("One?",),
    lanes: Iterable[int] | None = None,
    **options: Any,
) -> tuple[Verdict, Session, Conversation]:
    """Judge the last turn of a new conversation, and wait for the verdict.

    Also assert that judging leaves the answers unchanged and stores the API key nowhere.

    Returns:
        The verdict, the session and the conversation.
    """
    talk = session(tmp_path, answer)
    conversation = chat(talk, *messages)
    who = model(
        server, **{name: options.pop(name) for name in ("timeout", "retries", "key") if name in options}
    )
    judging = judge(talk, conversation, len(messages) - 1, rubric, who, lanes=lanes, **options)
    verdict = judging.wait(30)
    assert judging.done
    assert talk.open(conversation.id).turns[:-1] == conversation.turns[:-1]
    assert talk.open(conversation.id).turns[-1].answers == conversation.turns[-1].answers
    assert KEY not in json.dumps(to_json(verdict))
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    return verdict, talk, conversation


def sent_parameters(verdict: Verdict) -> dict[str, Any]:
    """Return the request parameters of a verdict's first judge call."""
    sent = verdict.calls[0].parameters
    assert sent is not None
    parameters: dict[str, Any] = json.loads(sent)
    return parameters


def sentence(text: str | None) -> str:
    """Return the text, asserting that it is a complete one-line message without Python error details."""
    assert text is not None
    assert text.endswith((".", "again."))
    assert "\n" not in text
    assert "Traceback" not in text
    assert "Error code" not in text
    return text
