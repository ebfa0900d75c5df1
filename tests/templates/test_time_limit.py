"""Tests that untrusted code, such as a chat template, is interrupted after a time limit."""

from __future__ import annotations

import threading

import pytest

from playground import templates
from playground.templates.time_limit import TimeLimitError, call_within
from playground.types import ChatFormat, InputError


def test_results_and_errors_are_the_functions() -> None:
    assert call_within(60, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        call_within(60, lambda: 1 / 0)


def test_a_loop_without_an_end_is_interrupted_and_its_thread_ends() -> None:
    loops: list[threading.Thread] = []

    def loop() -> None:
        loops.append(threading.current_thread())
        while True:
            pass

    with pytest.raises(TimeLimitError):
        call_within(0.2, loop)
    loops[0].join(60)
    assert not loops[0].is_alive()


def test_a_template_that_does_not_end_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_SECONDS", 0.5)
    loops = "{% for a in range(99999) %}" * 3 + "{{ a * a }}" + "{% endfor %}" * 3
    with pytest.raises(InputError, match=f"chat template cannot render .*{templates.NOT_IN_TIME}"):
        templates.render(ChatFormat(template=loops), [{"role": "user", "content": "Hi"}])
    assert templates.template_problem(ChatFormat(template=loops))
    assert not templates.template_problem(ChatFormat(template="{{ messages[0].content }}"))
