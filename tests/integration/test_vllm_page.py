"""The page and the command line with `--remote` on a real vLLM, which also judges."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.servers import VLLM, find_port
from playground.store import Store
from tests.helpers.browsing import QUESTION, TWO_LANES, App, Person
from tests.helpers.commands import tandem
from tests.helpers.paths import POCKET, ROOT
from tests.helpers.waiting import until

pytestmark = pytest.mark.browser

NAMES = ["base", "urial", "pocket-ift", "urial:adapter=pocket-ift"]
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
"""A chat template for the judge: the pocket model is a base model, and has none."""


@dataclass(kw_only=True)
class Site:
    """An app whose server is started after it."""

    app: App
    folder: Path
    port: int
    server: VLLM | None = None

    def start_server(self) -> VLLM:
        """Start vLLM, once."""
        if self.server is None:
            template = self.folder / "template.jinja"
            template.write_text(TEMPLATE)
            # More LoRA slots than adapters, see test_vllm_engine.py.
            flags = ["--enable-lora", "--max-loras", "3", "--max-lora-rank", "64", "--lora-modules"]
            flags += [f"pocket-ift={ROOT / 'adapters' / 'pocket-ift'}", "--chat-template", str(template)]
            self.server = VLLM(POCKET, "pocket", self.folder / "log", *flags, port=self.port)
        return self.server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("page"), find_port()
    url = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TANDEM_JUDGE_MODEL", "pocket")
        patch.setenv("TANDEM_JUDGE_KEY", "none-is-needed")
        app = App(folder / "data", "--remote", url, "--judge-url", f"{url}/v1")
    with app:
        site = Site(app=app, folder=folder, port=port)
        yield site
        if site.server is not None:
            site.server.end()


@pytest.fixture
def person(site: Site, browser: Browser) -> Iterator[Person]:
    site.start_server()
    person = Person(browser, site.app.url)
    # A page that was opened before its server was ready does not have the lane of the adapter.
    person.go(f"{site.app.url}?{TWO_LANES}")
    yield person
    person.close()


def recorded(site: Site, person: Person) -> Any:
    """The conversation on the page, once the end of its last answer is recorded."""
    store = Store(site.app.data_dir)

    def is_saved() -> bool:
        answers = store.load(person.conversation).turns[-1].answers
        return all(answer.reply.finish and answer.reply.error is None for answer in answers)

    until(is_saved)
    return store.load(person.conversation)


def test_the_page_becomes_ready_when_its_server_does(site: Site, browser: Browser) -> None:
    person = Person(browser, site.app.url, enter=False)
    page = person.page
    page.goto(site.app.url)
    expect(page.locator("#skeleton")).to_have_count(0)
    expect(page.locator("#model")).to_contain_text(re.compile("does not accept connections|failed|error"))
    assert site.server is None
    site.start_server()
    expect(page.locator("#model .ready")).to_be_visible()
    person.short()
    person.ask(QUESTION)
    for lane in (0, 1):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    person.close()


def test_four_lanes_answer_three_messages_and_one_is_stopped_and_tried_again(
    site: Site, person: Person
) -> None:
    page = person.page
    page.click("#square")
    expect(page.locator(".lane:visible")).to_have_count(4)
    person.short()
    for text in (QUESTION, "And of Japan?", "What did I ask first?"):
        person.ask(text)
        for lane in range(4):
            expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    found = recorded(site, person)
    assert [variant.name for variant in found.variants] == NAMES
    assert len(found.turns) == 3
    replies = [answer.reply for turn in found.turns for answer in turn.answers]
    assert all(reply.error is None and reply.text for reply in replies)
    assert all("vLLM" in (reply.weights or "") for reply in replies)

    page.click("#new")
    expect(person.asked).to_have_count(0)
    person.set_control("max-new-tokens", 1500)
    person.send("Name two uses of baking soda besides baking.")  # the base model's answer never ends
    expect(person.status(0)).to_contain_text("writing")
    page.click("#stop-0")
    expect(person.status(0)).to_have_attribute("data-finish", "cancelled")
    expect(page.locator("#stop-0")).to_be_hidden()
    person.finished()
    finishes = [answer.reply.finish for answer in recorded(site, person).turns[-1].answers]
    assert finishes[0] == "cancelled"
    assert "stop" in finishes[1:]

    person.short()
    page.click("#retry")
    person.finished()
    for lane in range(4):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    assert len(recorded(site, person).turns) == 1


def test_the_same_server_judges(site: Site, person: Person) -> None:
    page = person.page
    person.short()
    person.ask("Who are you?")  # to which the lanes' answers differ
    page.click("#open-judge")
    expect(page.locator("#judge-ask")).to_be_visible()
    if page.input_value("#judge-who input") != "a model":
        person.choose("judge-who", "a model")
    person.choose("judge-rubric", "pairwise")
    expect(page.locator("#judge-about")).to_contain_text("2 calls")
    page.click("#judge-ask")
    expect(page.locator("#judge-ask")).to_have_count(0)
    badge = page.locator("#chat-0 details.mark > summary").last
    expect(badge).not_to_contain_text("judging")
    ((verdict,),) = Store(site.app.data_dir).verdicts(person.conversation).values()
    # The server writes by our schema, but this model never ends a verdict.
    assert verdict.outcome == "cut"
    for call in verdict.calls:
        assert (call.raw or "").lstrip("{ \n").startswith('"reasons"')
        assert call.prompt_tokens is not None
    expect(badge).to_contain_text("reply cut off")
    badge.click()
    expect(page.locator("#chat-0 .reasons").last).to_contain_text(
        "The judge's reply was cut off at its token limit, so its verdict is incomplete."
    )


def test_the_command_line_gives_the_answers_of_the_local_engine(site: Site, tmp_path: Path) -> None:
    server = site.start_server()
    said: tuple[object, ...] = (
        "chat",
        QUESTION,
        "And of Japan?",
        "--lane",
        "base",
        "--lane",
        "urial",
        "--lane",
        "pocket-ift",
    )
    said = (*said, "--max-new-tokens", "40", "--json", "--data-dir")
    documents = []
    for number, model in enumerate((("--remote", server.url), ("--base", "models/pocket"))):
        result = tandem(*said, tmp_path / str(number), *model)
        assert result.returncode == 0, result.stderr.decode()
        documents.append(json.loads(result.stdout))
    answers = [
        [
            {name: answer[name] for name in ("variant", "prompt", "text", "raw_text", "finish", "new_tokens")}
            for turn in document["turns"]
            for answer in turn["answers"]
        ]
        for document in documents
    ]
    assert answers[0] == answers[1]
