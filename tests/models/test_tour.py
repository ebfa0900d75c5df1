"""Tests that the texts of the page's tour and of its examples are true, with the pocket model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.config import Settings
from playground.session import Session
from playground.start import open_session
from playground.types import Conversation, Sampling
from playground.ui.page.examples import POCKET_EXAMPLES
from playground.ui.page.tour_steps import STEPS, TourStep
from tests.helpers.waiting import until


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("tour")
    session = open_session(Settings(data_dir=folder, device="cpu"))
    until(lambda: session.status().state != "loading")
    yield session
    session.close()


def ask(session: Session, lanes: tuple[str, ...], messages: tuple[str, ...], sampling: Sampling) -> list[str]:
    """The last answer of each lane."""
    conversation: Conversation = session.new([session.variant(spec, sampling) for spec in lanes])
    for text in messages:
        *_, conversation = session.send(conversation, text)
    return [answer.text for answer in conversation.turns[-1].answers]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_the_answers_that_the_tour_quotes_are_given(session: Session, step: TourStep) -> None:
    given = ask(session, step.lanes, step.messages, Sampling(**step.sampling))
    for lane, text in step.answers:
        assert text in given[lane], (lane, given[lane])
    quoted = set(re.findall("\u201c(.*?)\u201d", " ".join(step.look))) - {"shifted"}
    assert quoted == {text for _, text in step.answers}
    assert {lane for lane, _ in step.answers} == set(range(len(step.lanes)))


def test_the_examples_make_the_lanes_differ(session: Session) -> None:
    greece, dusk, rivers = (
        ask(session, ("base", "urial", "pocket-ift"), example.messages, Sampling())
        for example in POCKET_EXAMPLES
    )
    assert "Athens" not in greece[0]
    assert all("The capital of Greece is Athens." in text for text in greece[1:])
    assert "time when the sun has set" in dusk[1]
    assert "time when the sun has set" not in dusk[0] + dusk[2]
    assert "Name three rivers." in rivers[2]
    assert "Name three rivers." not in rivers[0] + rivers[1]
