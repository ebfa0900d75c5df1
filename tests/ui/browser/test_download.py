"""Browser test for saving the conversation to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.store import Store
from playground.types.chat_json import chat_json
from tests.helpers.browsing import QUESTION, App, Person

pytestmark = pytest.mark.browser


def test_the_conversation_is_saved_as_json(person: Person, app: App) -> None:
    person.short()
    person.ask(QUESTION)
    for _ in range(2):  # the text of the second file is that of the first
        with person.page.expect_download() as download:
            person.page.click("#download")
        assert download.value.suggested_filename == f"tandem-{person.conversation}.json"
        saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert saved == json.loads(json.dumps(chat_json(Store(app.data_dir).load(person.conversation))))
