"""Tests for downloading the conversation, and for the notice that conversations are not kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.types.chat_json import chat_json
from playground.ui.page.state import PageState
from tests.hardening.serving import Caller, serving
from tests.ui.page.test_handlers import Page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(tmp_path_factory.mktemp("page"))
    yield page
    page.session.close()


def downloaded(page: Page) -> Any:
    """The text that the server sends to the browser to be saved."""
    (updates,) = page.call("download", "click", None)
    return updates[page.find("file")]


def test_the_download_is_the_document_of_the_command_line(page: Page) -> None:
    id = page.record("Été?", "And?", lanes=2)
    page.state = PageState(conversation=id, lanes=2)
    text = downloaded(page)
    assert json.loads(text) == json.loads(json.dumps(chat_json(page.session.open(id))))
    assert "Été?" in text


def test_nothing_is_downloaded_from_an_empty_page_or_while_names_are_hidden(page: Page) -> None:
    page.state = PageState()
    with pytest.warns(UserWarning, match="There is no message yet"):
        assert downloaded(page) == ""
    page.state = PageState(conversation=page.record("Hello", lanes=2), lanes=2, blind=True)
    with pytest.warns(UserWarning, match="press Reveal first"):
        assert downloaded(page) == ""


@pytest.mark.parametrize("is_ephemeral", [True, False])
def test_the_page_says_whether_conversations_are_lost(tmp_path: Path, is_ephemeral: bool) -> None:
    with serving(tmp_path, public=True, is_ephemeral=is_ephemeral) as served:
        notices = [
            component["props"]["value"]
            for component in Caller(served).config["components"]
            if component["props"].get("elem_id") == "not-kept"
        ]
    assert len(notices) == is_ephemeral
    assert all("lost when this Space restarts" in notice for notice in notices)
