"""Models that judge on a server of the test's own."""

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
    """The judge on a server, or on one at an address."""
    url = server if isinstance(server, str) else server.url
    options: dict[str, Any] = {"model": "judge", "server": url, "key": Secret(KEY), "timeout": 20}
    return JudgeModel(**options | changes)


def text_only(say: Behave) -> Behave:
    """A server that knows no schemas, and otherwise behaves as `say`."""

    def behave(asked: Asked, body: Body) -> None:
        if "response_format" in body:
            asked.fail(400, "response_format of type json_schema is not supported")
        else:
            say(asked, body)

    return behave


def put(server: JudgeServer) -> list[Body]:
    """Questions that a server like `text_only` took, without the ones that it turned down."""
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
    """The verdict on the last of these turns, once it has ended, and the talk and conversation it is on."""
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
    """The parameters of a verdict's first call."""
    sent = verdict.calls[0].parameters
    assert sent is not None
    parameters: dict[str, Any] = json.loads(sent)
    return parameters


def sentence(text: str | None) -> str:
    """Assert that it is one: no line breaks, an end, nothing of Python in it."""
    assert text is not None
    assert text.endswith((".", "again."))
    assert "\n" not in text
    assert "Traceback" not in text
    assert "Error code" not in text
    return text
