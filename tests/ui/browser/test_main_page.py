"""Browser tests for the main page, with the real app and the pocket model."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from transformers import AutoTokenizer

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.ui.html.mathml import ELEMENTS
from tests.helpers.browsing import QUESTION, SIZES, App, Person, StartApp
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.browser

# --- Streaming, stopping, coming back ---------------------------------------------------------------


def test_both_lanes_stream_at_once_stop_and_are_found_again(person: Person) -> None:
    both_writing = """(past) => {
        const lanes = [0, 1].map((lane) => ({
            state: document.querySelector(`#status-${lane} .figures`).dataset.finish,
            length: document.querySelector(`#chat-${lane} .bot-row`)?.innerText.length ?? 0,
        }));
        const writing = lanes.every(({state, length}, lane) => state === "streaming" && length > past[lane]);
        return writing && lanes.map(({length}) => length);
    }"""

    def stopped_after() -> float:
        """Seconds from the click on Stop until both lanes have stopped."""
        person.send(QUESTION)
        assert person.typed == "", "an accepted message leaves the text box"
        lengths = person.page.wait_for_function(both_writing, arg=[20, 20], polling=20).json_value()
        person.page.wait_for_function(both_writing, arg=lengths, polling=20)
        clicked = time.monotonic()
        person.page.click("#stop")
        for lane in (0, 1):
            expect(person.status(lane)).to_have_attribute("data-finish", "cancelled")
            expect(person.status(lane)).to_contain_text("stopped")
        took = time.monotonic() - clicked
        person.finished()
        return took

    person.long()
    assert stopped_after() < 15, "half a second on a free machine; unstopped, the answers take much longer"
    stopped = [person.answers(lane)[0] for lane in (0, 1)]
    assert all(len(text) > 20 for text in stopped), "what was written stays"

    person.short()
    person.ask(QUESTION)
    for lane in (0, 1):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    before = [person.answers(lane) for lane in (0, 1)]
    # Above it the lane now says how it was decoded then, since that has changed.
    assert all(texts[0].endswith(text) for texts, text in zip(before, stopped, strict=True))

    person.go(person.page.url)
    expect(person.asked).to_have_count(2)
    assert [person.answers(lane) for lane in (0, 1)] == before
    assert person.page.input_value("#max-new-tokens input") == "40", "decoding is the conversation's"


def test_an_example_is_sent_and_leaves_what_is_typed(person: Person) -> None:
    person.type("half a thought")
    person.page.click("#example-0")
    expect(person.asked).to_have_text(["What is the capital of Greece?"])
    person.finished()
    assert person.typed == "half a thought"


def test_a_lane_in_trouble_leaves_the_other_alone(person: Person) -> None:
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/pocket")
    text = QUESTION
    while len(tokenizer(text).input_ids) < 4000:  # fits the context of 4096, but not beside demonstrations
        text += " " + QUESTION
    person.short()
    person.ask(text)
    expect(person.status(0)).to_have_attribute("data-finish", "error")
    expect(person.page.locator("#chat-0 .notice.error")).to_contain_text("context of 4,096")
    expect(person.status(1)).to_have_attribute("data-finish", re.compile("stop|length"))
    assert person.page.locator("#chat-1 .notice.error").count() == 0
    person.ask(QUESTION)  # the lane that failed answers again, without what did not fit
    expect(person.status(0)).to_have_attribute("data-finish", re.compile("stop|length"))


def test_new_and_history(person: Person) -> None:
    person.short()
    person.ask("How many legs does a spider have?")
    first = person.conversation
    person.type("half a thought")
    person.page.click("#new")
    expect(person.asked).to_have_count(0)
    expect(person.page.locator("#chat-0")).to_contain_text("sample questions with answers")
    expect(person.page).not_to_have_url(re.compile("c="))
    assert person.typed == "half a thought"
    person.ask(QUESTION)
    expect(person.page).not_to_have_url(re.compile(f"c={first}"))
    assert person.conversation != first

    person.options("history").get_by_role("option", name=re.compile("How many legs")).first.click()
    expect(person.asked).to_contain_text(["How many legs does a spider have?"])
    expect(person.page).to_have_url(re.compile(f"c={first}"))


def test_the_history_lists_the_conversations_of_ones_own_browser(
    app: App, browser: Browser, person: Person
) -> None:
    person.short()
    person.ask("What is the opposite of tall?")
    other = Person(browser, app.url)
    other.short()
    other.ask("How many legs does a crab have?")
    for each, own, others in ((person, "of tall", "a crab"), (other, "a crab", "of tall")):
        each.go(app.url)
        each.go(app.url)
        options = each.options("history")
        expect(options.get_by_role("option", name=re.compile(own))).to_have_count(1)
        expect(options.get_by_role("option", name=re.compile(others))).to_have_count(0)
        config = each.page.evaluate("fetch('config').then(reply => reply.text())")
        assert "a crab" not in config
        assert "of tall" not in config
    other.close()


def test_lanes_change_in_mid_conversation(person: Person) -> None:
    person.short()
    person.ask(QUESTION)
    person.pick(1, "Base")
    person.ask("And of Japan?")
    labels = person.page.locator("#chat-1 .by")
    expect(labels).to_contain_text(["IFT · Pocket IFT", "Base, greedy"])
    assert person.page.locator("#chat-0 .by").count() == 0, "that lane stayed what it was"
    person.go(person.page.url)
    expect(labels).to_have_count(2)
    assert person.page.input_value("#pick-1 input") == "Base"


def test_two_people_see_only_their_own(app: App, browser: Browser, person: Person) -> None:
    other = Person(browser, app.url)
    for each, text in ((person, "What is the opposite of hot?"), (other, QUESTION)):
        each.long()
        each.send(text)
    for each in (person, other):  # both at once: neither waits for the other's end
        for lane in (0, 1):
            expect(each.status(lane)).to_have_attribute("data-finish", "streaming")
            expect(each.status(lane)).to_contain_text("writing")
    other.page.click("#stop")
    other.finished()
    expect(other.status(0)).to_contain_text("stopped")
    expect(person.status(0)).not_to_contain_text("stopped")
    person.page.click("#stop")
    person.finished()
    expect(person.asked).to_have_text(["What is the opposite of hot?"])
    expect(other.asked).to_have_text([QUESTION])
    assert person.conversation != other.conversation
    other.close()


def test_conversations_outlive_the_app(tmp_path: Path, browser: Browser, start_app: StartApp) -> None:
    app = start_app(tmp_path / "data")
    person = Person(browser, app.url)
    person.short()
    person.ask(QUESTION)
    answers = [person.answers(lane) for lane in (0, 1)]
    id = person.conversation
    person.leave_for("about:blank")
    app.end()

    app = start_app(tmp_path / "data")
    person.url = app.url
    person.leave_for(f"{app.url}?c={id}")
    expect(person.asked).to_have_count(1)
    assert [person.answers(lane) for lane in (0, 1)] == answers
    person.ask("And of Japan?")  # accepted at once, although the model may still be loading
    for lane in (0, 1):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))

    person.long()  # and in the middle of an answer, with the page still open, Ctrl-C is as clean
    person.send(QUESTION)
    for lane in (0, 1):
        expect(person.status(lane)).to_contain_text("writing")
    app.end()
    last = Store(app.data_dir).load(id).turns[-1]
    assert [answer.reply.finish for answer in last.answers] == ["cancelled", "cancelled"]
    person.context.close()  # what its console says of the lost app is of no interest


def test_what_was_typed_and_not_sent_outlives_a_reload(person: Person) -> None:
    person.short()
    person.type("an hour's work\nin two lines")
    person.go(person.page.url)
    expect(person.page.locator("#message textarea")).to_have_value("an hour's work\nin two lines")
    person.page.press("#message textarea", "Enter")
    expect(person.asked).to_have_count(1)
    person.finished()
    person.go(person.page.url)
    expect(person.asked).to_have_count(1)
    assert person.typed == ""


# --- Bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        ("top-p", "0", "Top-p must be above 0 and at most 1"),
        ("temperature", "-1", "Temperature must be 0 (greedy) or more"),
        ("repetition-penalty", "0", "Repetition penalty must be above 0"),
        ("max-new-tokens", "2.5", "Max new tokens must be a whole number"),
        ("seed", "", "Seed is empty"),
    ],
)
def test_a_bad_dial_is_a_sentence_and_nothing_is_lost(
    person: Person, control: str, value: str, sentence: str
) -> None:
    person.set_control(control, value)
    person.type(QUESTION)
    person.page.click("#send")
    person.toast(sentence)
    assert person.typed == QUESTION
    expect(person.page.locator("#send")).to_be_visible()
    assert person.asked.count() == 0


def test_an_empty_message_is_a_sentence(person: Person) -> None:
    person.short()
    person.ask(QUESTION)
    person.type("  ")
    person.page.click("#send")
    person.toast("The message is empty")
    expect(person.asked).to_have_count(1)


def test_an_unknown_conversation_is_a_sentence_and_a_fresh_page(app: App, person: Person) -> None:
    person.go(f"{app.url}?c=../nowhere<b>")
    person.toast("There is no conversation '../nowhere<b>'")
    expect(person.asked).to_have_count(0)
    person.page.wait_for_function("!location.search.includes('c=')")


# --- What is written is only text ------------------------------------------------------------------

PAYLOADS = (
    "<script>window.bad = 1</script>",
    "<img src=x onerror='window.bad = 1'>",
    '<img src="http://foreign.example/a.png">',
    "![picture](http://foreign.example/b.png)",
    "![picture][ref]\n\n[ref]: http://foreign.example/c.png",
    '<div style="position:fixed;inset:0;background:url(http://foreign.example/d.png)">over</div>',
    "<form action='http://foreign.example'><input name=q><button>Go</button></form>",
    "<iframe src='http://foreign.example'></iframe><style>body { display: none }</style>",
    "[click](javascript:window.bad=1)",
    "a<b>c and </s> and <think>so</think> &amp; &lt; $x<y$ $$\\frac{1}{2}$$",
    "in code `<u>` and ``<u> ` </u>`` and\n\n```html\n<u>&amp;</u>\n![x](http://foreign.example/e.png)\n```\n\nend",
    "1. one\n   ```\n   <u>two</u>\n   ```\n<u>three</u>\n```\n<u>four",
    "~~a `b~~ <u>five</u>` c | `d | <u>six</u>` |",
    "    <u>indented</u>\n\n> ```\n> <u>quoted</u>\n> ```\n<u>after</u>",
    "```mermaid\ngraph TD; A[<img src=x onerror='window.bad=1'>] --> B\n```",
)
OWN_TAGS = "p|br|code|pre|ul|ol|li|em|strong|s|a|blockquote|table|thead|tbody|tr|th|td|hr|h[1-6]|div"


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_nothing_that_was_written_acts_or_vanishes(app: App, person: Person) -> None:
    """Of a person's messages and of a model's answers, the latter put into the record by a script."""
    engine = ScriptedEngine(lambda request: [payload])
    session = Session(engine, Library.open("models/pocket"), Store(app.data_dir))
    conversation = session.new([session.variant("base"), session.variant("base")])
    for payload in PAYLOADS:
        *_, conversation = session.send(conversation, payload)
    person.go(f"{app.url}?c={conversation.id}")
    expect(person.asked).to_have_count(len(PAYLOADS))

    assert person.page.evaluate("window.bad") is None
    tags = person.page.eval_on_selector_all(
        "#chat-0 .message *", "(all) => [...new Set(all.map((e) => e.tagName.toLowerCase()))]"
    )
    own = {*ELEMENTS, "span", "button"}
    assert [tag for tag in tags if not re.fullmatch(OWN_TAGS, tag) and tag not in own] == []
    assert (
        person.page.locator(
            "#chat-0 .message :is([style], [onerror], [src], u, [href^='javascript'])"
        ).count()
        == 0
    )
    # As in the View menu.
    person.page.evaluate("document.querySelector('main.contain > .column').dataset.formulas = 'text'")
    for row in ("user", "bot"):
        shown = [squeezed(text) for text in person.page.locator(f"#chat-0 .{row}-row").all_inner_texts()]
        for text, payload in zip(shown, PAYLOADS, strict=True):
            for piece in re.findall(r"</?\w+>?|&\w+;|foreign\.example/\w", payload):
                assert piece in text, (payload, text)

    for turn, payload in enumerate(PAYLOADS):
        person.page.hover(f"#chat-0 [data-turn='{turn}']")
        person.page.click(f"#chat-0 .turn[data-turn='{turn}'] .answer > .acts button[data-act='copy']")
        copied = "(text) => navigator.clipboard.readText().then((copied) => copied === text)"
        person.page.wait_for_function(copied, arg=payload)


def test_a_message_with_tags_is_sent_as_typed(person: Person) -> None:
    person.short()
    person.ask("<img src=http://foreign.example/f.png> a<b>c")
    expect(person.asked).to_have_text(["<img src=http://foreign.example/f.png> a<b>c"])


def test_the_page_fits_its_window(person: Person) -> None:
    for size in SIZES:
        person.page.set_viewport_size(size)
        person.page.wait_for_function(
            "(w) => document.documentElement.scrollWidth === w && "
            "document.documentElement.scrollHeight === innerHeight",
            arg=size["width"],
        )
        expect(person.page.locator("#send")).to_be_in_viewport(ratio=1)
