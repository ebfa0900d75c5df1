"""Browser tests that hostile text runs no code, loads nothing and stays visible.

Also tests that concurrent users cannot see each other's data.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from playground.demonstrations.files import write_demo_set
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.types import Demo, DemoSet
from tests.helpers.browsing import QUESTION, SLOW, App, Person, StartApp
from tests.helpers.tiny import Tiny

pytestmark = pytest.mark.browser

# Everything that could act carries the class "evil", so that one look at the page finds it.
TAGS = (
    "<script class=evil>window.bad = 1</script>",
    "<img class=evil src=x onerror='window.bad = 1'>",
    "<svg class=evil onload='window.bad = 1'><script>window.bad = 1</script></svg>",
    '<svg class=evil><use href="http://foreign.example/a.svg#b"/></svg>',
    '<img class=evil src="http://foreign.example/a.png">',
    '<img class=evil src="data:image/svg+xml,<svg onload=alert(1)>">',
    '<video class=evil src="http://foreign.example/a.mp4" autoplay></video>',
    '<link class=evil rel=stylesheet href="http://foreign.example/a.css">',
    '<meta class=evil http-equiv=refresh content="0;url=http://foreign.example/">',
    '<base class=evil href="http://foreign.example/">',
    '<iframe class=evil srcdoc="<script>parent.bad = 1</script>"></iframe>',
    '<object class=evil data="http://foreign.example/a"></object>',
    '<form class=evil action="http://foreign.example/"><input name=password><button>Go</button></form>',
    '<div class=evil style="position:fixed;inset:0;z-index:9999;background:red">over</div>',
    "<style class=evil>body { display: none }</style>",
    "</textarea><img class=evil src=x onerror='window.bad = 1'>",
    "</script><script>window.bad = 1</script>",
    "</div></div></article><p class=evil>out</p>",
    "\"'><img class=evil src=x onerror='window.bad = 1'>",
    "<!-- <img class=evil src=x onerror='window.bad = 1'> --><b class=evil>bold</b>",
    "<math class=evil><mtext></form><form><mglyph><style></math><img src onerror='window.bad = 1'>",
    "&lt;img class=evil&gt; &amp;lt; &#60;b class=evil&#62;",
)
MARKS = (
    "![picture](http://foreign.example/b.png)",
    "![picture][ref]\n\n[ref]: http://foreign.example/c.png",
    "[click](javascript:window.bad=1) <javascript:window.bad=1>",
    "[page](data:text/html,<script>window.bad=1</script>)",
    "[![p](http://foreign.example/d.png)](http://foreign.example/d)",
    "```mermaid\ngraph TD; A[<img class=evil src=x onerror='window.bad=1'>] --> B\n```",
    "$$\\href{javascript:window.bad=1}{x}$$ $\\unicode{x}$",
    "${window.bad = 1} {{window.bad = 1}} {{{constructor}}} {{#each this}}x{{/each}} <%= 1 %>",
)
UNSEEN = (
    "left \u202eright to left\u202c again",
    "isolate \u2066\u202dx\u2069\u202c end",
    "a\u200bb\u2060c\ufeffd\u00ade",
    "before\0after",
    "\x1b[31mred\x1b[0m \x07 \x08",
    "line\u2028separator",
    "tag \U000e0041\U000e0042 end",
)
LARGE = (
    "x" * 30_000,
    "> " * 400 + "deep",
    "|" * 2_000,
    "word " * 4_000,
    "e" + "\u0301" * 500 + " marked",
    "[" * 5_000,
)
TEXTS = TAGS + MARKS + UNSEEN + LARGE
NAME = "<img class=evil src=x onerror='window.bad = 1'> ${window.bad = 1} {{window.bad = 1}} \u202eedis"
"""For labels and descriptions, which may hold anything but line breaks."""
FOLDER = "<img class=evil src=x onerror=window.bad=1> ${window.bad=1} {{window.bad=1}} \u202eedis"
"""For a folder's name."""


def seen(text: str) -> str:
    """A text as it should be read on the page, without white space."""
    hidden = "[\0-\x08\x0b-\x1f\x7f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
    return "".join(re.sub(hidden, lambda found: f"U+{ord(found[0]):04X}", text).split())


def harmless(person: Person) -> None:
    """Nothing on the page acts or acted, nothing covers it."""
    page = person.page
    assert page.evaluate("window.bad") is None
    assert page.locator(".evil").count() == 0
    assert page.locator("[onerror], [onload], iframe, object, embed, base:not([href='./'])").count() == 0
    assert (
        page.locator("meta[http-equiv=refresh], [src^='http://foreign'], link[href*='foreign']").count() == 0
    )
    assert page.locator("form[action*='foreign'], a[href^='javascript'], a[href^='data']").count() == 0
    strange = page.evaluate(
        "() => [...document.querySelectorAll('a')].filter((a) => a.target !== '_blank' && a.href).map(String)"
    )
    assert strange == []
    assert person.wrong == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Iterator[App]:
    """An app whose model, adapter, demonstrations and record all carry hostile text."""
    home = tmp_path_factory.mktemp("hostile")
    base = home / FOLDER
    shutil.copytree(tiny.base, base)
    adapter = home / "adapter"
    shutil.copytree(tiny.adapters["wide"], adapter)
    toml = {"base_model": str(base), "label": NAME, "description": NAME, "chat_format": "chatml"}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in toml.items()]
    (adapter / "adapter.toml").write_text("".join(lines), encoding="utf-8")
    demos = DemoSet(
        name="hostile",
        description=NAME,
        note=NAME,
        instruction=TAGS[0],
        demos=tuple(Demo(query=text, answer=text) for text in TAGS[1:6]),
    )
    write_demo_set(home / "data" / "demos" / "hostile.toml", demos)
    with App(home / "data", "--base", str(base), "--adapter", f"evil={adapter}", "--device", "cpu") as app:
        yield app


def recorded(app: App, texts: tuple[str, ...]) -> str:
    """A conversation in the record in which people and model said all of `texts`; its id."""
    said = iter([text for text in texts for lane in range(2)])
    engine = ScriptedEngine(lambda request: [next(said)])
    session = Session(engine, Library.open("models/pocket"), Store(app.data_dir))
    conversation = session.new([session.variant("base"), session.variant("base")])
    for text in texts:
        *_, conversation = session.send(conversation, text)
    return conversation.id


@pytest.mark.parametrize("texts", [TAGS, MARKS, UNSEEN, LARGE], ids=["tags", "marks", "unseen", "large"])
def test_what_people_and_models_said_is_only_text(
    hostile: App, browser: Browser, texts: tuple[str, ...]
) -> None:
    id = recorded(hostile, texts)
    person = Person(browser, hostile.url, lanes=None)
    person.leave_for(f"{hostile.url}?c={id}")
    expect(person.asked).to_have_count(len(texts))
    for lane in (0, 1):
        for row in ("user", "bot"):
            messages = person.page.locator(f"#chat-{lane} .{row}-row .message")
            expect(messages).to_have_count(len(texts))
            rows = messages.evaluate_all(READ)
            for shown, text in zip(rows, texts, strict=True):
                if texts in (TAGS, UNSEEN):
                    assert seen(text) in "".join(shown.split()), (row, text, shown)
                else:  # Markdown takes its marks away, and puts addresses under their words
                    assert letters(text) <= letters(shown), (row, text[:100], shown[:100])
    harmless(person)
    expect(person.page.locator("#send")).to_be_in_viewport(ratio=1)
    person.page.locator("#send").click(trial=True)  # nothing lies over it

    # The prompt of a past answer, whole and cut into tokens; the history; a copy.
    person.page.click("#chat-0 .turn >> nth=-1 >> button[data-act='prompt']")
    expect(person.page.locator("#inspector-view h4").last).to_be_visible()
    expect(person.page.locator("#inspector-which input")).not_to_have_value("")
    person.page.check("#inspector-tokens input")
    # Some 80 000 tokens, which a busy machine draws in most of a minute.
    expect(person.page.locator("#inspector-view .tok").first).to_be_visible(timeout=3 * SLOW)
    harmless(person)
    person.page.keyboard.press("Escape")
    expect(person.options("history").get_by_role("option").first).to_be_visible()
    harmless(person)
    person.close()


READ = """(all) => all.map((one) => [one, ...one.querySelectorAll("[href], .language, pre")].map(
    (part) => part.getAttribute("href") ?? part.textContent).join(" "))"""
"""The text of elements, with the addresses of their links. The name of a block's language and its code are
added once more by themselves, since only the Copy button stands between them."""


def letters(text: str) -> set[str]:
    """The words and numbers in a text."""
    return set(re.findall(r"[A-Za-z0-9]{2,}", text))


def test_names_of_models_adapters_and_sets_are_only_text(hostile: App, browser: Browser) -> None:
    person = Person(browser, hostile.url, lanes=None)
    page = person.page
    expect(page.locator("#model .chip .name")).to_have_text(FOLDER.replace("\u202e", "U+202E"))
    person.page.click("#model button")
    about = page.locator("#model-about")
    for text in (FOLDER, NAME):
        expect(about).to_contain_text(text.replace("\u202e", "U+202E"))
    harmless(person)
    page.keyboard.press("Escape")

    expect(
        person.options("pick-0").get_by_role("option").filter(has_text="<img class=evil").first
    ).to_be_visible()
    harmless(person)
    page.locator("#message textarea").click()
    expect(page.locator("#chat-2")).to_contain_text("<img class=evil src=x")
    person.set_control("max-new-tokens", 4)
    person.ask(QUESTION)
    page.hover("#status-2 .weights")
    harmless(person)
    person.close()


def test_a_set_in_the_editor_and_an_imported_file_are_only_text(
    hostile: App, browser: Browser, tmp_path: Path
) -> None:
    person = Person(browser, hostile.url, lanes=None)
    page = person.page
    page.click("#setup-1")
    page.click("#edit-1")
    expect(page.locator("#editor")).to_be_visible()
    person.choose("editor-set", "hostile")
    cards = page.locator("#editor-cards .card")
    expect(cards).to_have_count(5)
    for card, text in zip(cards.all_text_contents(), TAGS[1:6], strict=True):
        assert card.count(text) == 2
    expect(page.locator("#editor-about")).to_contain_text("<img class=evil src=x")
    page.locator("#editor-cards button[data-act='edit']").first.click()
    expect(page.locator("#editor-query-0 textarea")).to_have_value(TAGS[1])
    harmless(person)

    blocks = "".join(f"# Query:\n```\n{text}\n```\n\n# Answer:\n```\n{text}\n```\n\n" for text in TAGS[:8])
    name = "<img class=evil src=x onerror=window.bad=1>.txt"
    page.set_input_files(
        "input[type=file]", {"name": name, "mimeType": "text/plain", "buffer": blocks.encode()}
    )
    expect(cards).to_have_count(8)
    assert TAGS[7] in page.locator("#editor-cards").inner_text()
    harmless(person)
    bad: FilePayload = {
        "name": "bad.toml",
        "mimeType": "text/plain",
        "buffer": f"evil = {json.dumps(TAGS[1])}".encode(),
    }
    page.set_input_files("input[type=file]", bad)
    expect(page.locator(".toast-body").first).to_be_visible()
    harmless(person)
    person.close()


def test_what_is_typed_is_what_is_asked_to_the_character(hostile: App, browser: Browser) -> None:
    person = Person(browser, hostile.url, lanes=None)
    person.set_control("max-new-tokens", 2)
    texts = (*TAGS[:3], *MARKS[:2], MARKS[-1], *UNSEEN)
    for text in texts:
        person.ask(text)
    asked = Store(hostile.data_dir).load(person.conversation)
    assert [turn.user for turn in asked.turns] == list(texts)
    shown = person.page.locator("#chat-0 .user-row .message").all_text_contents()
    for one, text in zip(shown, texts, strict=True):
        if text not in MARKS:
            assert seen(text) in "".join(one.split())
    harmless(person)
    person.close()


@pytest.mark.parametrize("where", ["?c=", "?c=x&evil=", "#"])
def test_what_stands_in_the_address_is_only_text(hostile: App, browser: Browser, where: str) -> None:
    from urllib.parse import quote

    person = Person(browser, hostile.url, lanes=None)
    for text in (TAGS[1], MARKS[-1], UNSEEN[0]):
        person.go(f"{hostile.url}{where}{quote(text)}")
        if where != "#":
            expect(person.page.locator(".toast-body").first).to_contain_text("There is no conversation")
        harmless(person)
        person.page.wait_for_timeout(1000)  # a page that is left while it still opens is a line in the log
    person.close()


# --- Two people at once ------------------------------------------------------------------------------------


def test_nothing_of_one_person_is_seen_by_another_not_even_when_both_reload_in_mid_stream(
    app: App, browser: Browser
) -> None:
    people = {word: Person(browser, app.url) for word in ("apricot", "bergamot")}

    def others(word: str) -> str:
        return next(other for other in people if other != word)

    def only_own() -> None:
        for word, person in people.items():
            assert others(word) not in person.page.locator("body").inner_text()
            assert others(word) not in person.page.content()

    for word, person in people.items():
        person.page.click("#setup-0")
        person.long()
        person.type(f"A secret {word}, half typed")
        person.send(f"My secret is {word}")
        person.type(f"Another {word}")
    only_own()
    for person in people.values():
        expect(person.status(0)).to_have_attribute("data-finish", "streaming")
    ids = {word: person.conversation for word, person in people.items()}
    assert len(set(ids.values())) == 2

    for word, person in people.items():  # in mid-stream; each finds its own again, which is still running
        person.go(person.page.url)
        expect(person.asked).to_have_text([f"My secret is {word}"])
        for lane in (0, 1):
            expect(person.status(lane)).to_have_attribute("data-finish", "streaming")
    for word, person in people.items():
        assert person.conversation == ids[word]
        assert person.typed == f"Another {word}"
        person.page.click("#stop")
        person.finished()
    for word, person in people.items():
        person.short()
        person.ask(f"Again the {word}")
        assert person.conversation == ids[word]
    for word, person in people.items():
        expect(person.asked).to_have_text([f"My secret is {word}", f"Again the {word}"])
        lanes = "".join(person.page.locator(f"#chat-{lane}").inner_text() for lane in (0, 1))
        assert others(word) not in lanes

    # What one stops, sets or starts again is the other's not.
    first, second = people.values()
    second.long()
    second.send("Still the bergamot")
    first.page.click("#new")
    expect(first.asked).to_have_count(0)
    first.set_control("temperature", 0.3)
    expect(second.status(0)).to_have_attribute("data-finish", "streaming")
    assert second.page.input_value("#temperature input") == "1000"
    second.page.click("#stop")
    second.finished()
    expect(second.asked).to_have_count(3)
    for person in people.values():
        person.close()


def test_untrusted_users_see_no_list_of_what_others_asked(public_app: App, browser: Browser) -> None:
    first, second = Person(browser, public_app.url), Person(browser, public_app.url)
    first.short()
    first.ask("My secret is cinnamon")
    second.go(public_app.url)
    assert "cinnamon" not in second.page.content()
    assert second.page.locator("#history").count() == 0
    second.set_control("max-new-tokens", 100_000)
    second.type(QUESTION)
    second.page.click("#send")
    second.toast("Answers are limited to 512 tokens, but Max new tokens is 100,000: lower it.")
    assert second.typed == QUESTION
    second.go(f"{public_app.url}?c={first.conversation}")  # who was given the link is let in
    expect(second.asked).to_have_text(["My secret is cinnamon"])
    first.close()
    second.close()


def test_the_password_is_asked_for_in_the_browser(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch, start_app: StartApp
) -> None:
    monkeypatch.setenv("TANDEM_AUTH", "ada:long and secret")
    app = start_app(tmp_path / "data")
    person = Person(browser, app.url, enter=False)
    page = person.page
    person.leave_for(app.url)
    expect(page.get_by_role("button", name="Login")).to_be_visible()
    assert page.locator("#message").count() == 0
    page.get_by_label("username").fill("ada")
    page.get_by_label("password").fill("long and secret")
    page.get_by_role("button", name="Login").click()
    expect(page.locator("#model .ready")).to_be_visible()
    person.short()
    person.ask(QUESTION)
    person.close()
    app.end()
    assert "secret" not in app.log()
