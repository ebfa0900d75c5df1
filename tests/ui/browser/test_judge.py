"""Browser tests for judging with the reference judge and with models on a local judge server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from playground.store import Store
from playground.types import Verdict
from tests.helpers.browsing import QUESTION, App, Person
from tests.helpers.checked import there
from tests.helpers.judge_server import Asked, Body, JudgeServer

pytestmark = pytest.mark.browser

KEY = "sk-typed-for-this-visit-alone-7f3a"
SCORE = json.dumps({"reasons": "Right and <b>to the point</b> ${1 + 1}.", "score": 8})


def verdict(letter: str) -> str:
    return json.dumps({"reasons": f"I prefer {letter}.", "verdict": letter})


def compares(body: Body) -> bool:
    return '"verdict"' in json.dumps(body["response_format"]["json_schema"]["schema"])


def judge(asked: Asked, body: Body) -> None:
    asked.say(verdict("A") if compares(body) else SCORE)


@pytest.fixture
def served() -> Iterator[Callable[[Callable[[Asked, Body], None]], JudgeServer]]:
    servers = []

    def serve(behave: Callable[[Asked, Body], None] = judge) -> JudgeServer:
        servers.append(JudgeServer(behave))
        return servers[-1]

    yield serve
    for server in servers:
        server.end()


def verdicts(app: App, id: str, turn: int = 0) -> list[Verdict]:
    return list(Store(app.data_dir).verdicts(id).get(turn, ()))


def opened(person: Person, server: JudgeServer, rubric: str = "single", model: str = "judge-1") -> None:
    """The panel, set to a model on a server."""
    page = person.page
    page.click("#open-judge")
    expect(page.locator("#judge-ask")).to_be_visible()
    if page.input_value("#judge-who input") != "a model":
        person.choose("judge-who", "a model")
    page.locator("#judge-model").locator("input, textarea").fill(model)
    page.locator("#judge-server").locator("input, textarea").fill(server.url)
    if rubric != "single":
        person.choose("judge-rubric", rubric)
    expect(page.locator("#judge-about")).to_contain_text(re.compile("tokens in, at most|at no cost"))


def ask(person: Person) -> None:
    person.page.click("#judge-ask")
    expect(person.page.locator("#judge-ask")).to_have_count(0)


def badge(person: Person, lane: int) -> Locator:
    return person.page.locator(f"#chat-{lane} details.mark > summary")


def test_the_rule_marks_a_probes_answers(app: App, person: Person) -> None:
    person.short()
    person.ask(QUESTION)
    person.page.click("#open-judge")
    expect(person.page.locator("#judge-about")).to_contain_text("No model is used")
    ask(person)
    for lane in (0, 1):
        expect(badge(person, lane)).to_have_text(re.compile("^Reference rule: ?(right|wrong)$"))
    [marked] = verdicts(app, person.conversation)
    shown = [badge(person, lane).inner_text().split()[-1] for lane in (0, 1)]
    assert shown == ["right" if score else "wrong" for score in marked.scores]
    badge(person, 0).click()
    expect(person.page.locator("#chat-0 .reasons")).to_contain_text("Correct if the answer contains 'Paris'.")


def test_a_model_scores_compares_and_is_not_paid_twice(
    app: App, person: Person, served: Callable[..., JudgeServer]
) -> None:
    server = served()
    person.short()
    person.ask("Who are you?")  # to which the lanes' answers differ
    opened(person, server)
    expect(person.page.locator("#judge-about")).to_contain_text("2 calls: about")
    ask(person)
    for lane in (0, 1):
        expect(badge(person, lane)).to_contain_text("8")
    badge(person, 0).click()
    reasons = person.page.locator("#chat-0 .reasons")
    expect(reasons).to_contain_text("Right and <b>to the point</b> ${1 + 1}.")
    expect(reasons).to_contain_text("2 calls, 200 tokens in, 40 out")

    opened(person, server, "pairwise")
    ask(person)
    for lane in (0, 1):
        expect(badge(person, lane).last).to_contain_text("tie, inconsistent")
    badge(person, 1).last.click()
    reasons = person.page.locator("#chat-1 .reasons").last
    expect(reasons).to_contain_text("A first, then B: A better")
    expect(reasons).to_contain_text("B first, then A: B better (shown to the judge with B as \u201cA\u201d)")
    reasons.get_by_text("Requests and responses").click()
    whole = person.page.locator("#verdict-body")
    expect(whole).to_contain_text("Who are you?")
    sent = person.page.locator("#verdict-body pre").all_inner_texts()
    assert server.bodies[-1]["messages"][0]["content"] in sent, "to the byte"
    person.page.click("#verdict-close")

    opened(person, server)
    expect(person.page.locator("#judge-about")).to_contain_text("from the cache, at no cost")
    before = len(server.bodies)
    ask(person)
    expect(badge(person, 0)).to_have_count(2)
    badge(person, 0).first.click()
    expect(person.page.locator("#chat-0 .reasons").first).to_contain_text("from the cache, at no cost")
    assert len(server.bodies) == before

    person.page.click("#vote-1")
    expect(person.page.locator("#votes .chosen")).to_have_text("A better")
    person.page.click("#open-scores")
    board = person.page.locator("#scores-body section").filter(has_text="judge-1, pairwise")
    expect(board).to_contain_text("1 inconsistent")
    expect(board).to_contain_text("vote A, judge neither")
    id = person.conversation
    person.page.locator("#scores-body button[data-act=open]").first.click()
    expect(person.page.locator("#scores-body")).to_have_count(0)
    expect(person.page).to_have_url(re.compile(f"c={id}"))


def test_three_judges_decide_by_their_majority(
    app: App, person: Person, served: Callable[..., JudgeServer]
) -> None:
    def behave(asked: Asked, body: Body) -> None:
        """Two prefer the second lane's answer wherever it stands, one whatever comes first."""
        text = body["messages"][-1]["content"]
        ahead = text.index(answers[1]) < text.index(answers[0])
        asked.say(verdict("A" if body["model"] == "first" or ahead else "B"))

    server = served(behave)
    person.short()
    person.ask("Who are you?")
    recorded = Store(app.data_dir).load(person.conversation)
    answers = [answer.text.strip() for answer in recorded.turns[0].answers]
    opened(person, server, "pairwise", "one, first, two")
    about = person.page.locator("#judge-about")
    expect(about).to_contain_text("6 calls")
    boxes = person.page.locator("#judge-lanes input")
    expect(boxes).to_have_count(2)
    assert all(there(box.bounding_box())["height"] > 10 for box in boxes.all()), "they can be seen"
    ask(person)
    marks = badge(person, 1)
    expect(marks).to_have_count(4)
    expect(marks.last).to_contain_text(re.compile("Majority of 3: ?won"))
    marks.last.click()
    reasons = person.page.locator("#chat-1 .reasons").last
    expect(reasons).to_contain_text("one: B better")
    expect(reasons).to_contain_text("first: tie, inconsistent")
    person.page.click("#open-scores")
    board = person.page.locator("#scores-body section").filter(has_text="Majority of 3 judges, pairwise")
    expect(board).to_contain_text("All judges agree")
    expect(board).to_contain_text("0 of 1")
    expect(board.locator("table.standings tbody tr")).to_have_count(3)


def test_a_key_that_is_refused_is_reported_and_seen_nowhere(
    app: App, person: Person, served: Callable[..., JudgeServer]
) -> None:
    server = served(lambda asked, body: asked.fail(401, f"Incorrect API key provided: {KEY}"))
    person.short()
    person.ask("What is the opposite of cold?")
    opened(person, server)
    person.page.fill("#judge-key input", KEY)
    assert person.page.get_attribute("#judge-key input", "type") == "password"
    ask(person)
    for lane in (0, 1):
        expect(badge(person, lane)).to_contain_text("failed")
    badge(person, 0).click()
    expect(person.page.locator("#chat-0 .reasons")).to_contain_text("does not accept the API key (401)")
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in person.page.content()
    person.page.locator("#chat-0 .reasons").get_by_text("Judge again").click()
    expect(person.page.locator("#judge-forget")).to_be_visible()
    assert person.page.input_value("#judge-key input") == ""
    person.page.click("#judge-forget")
    expect(person.page.locator("#judge-forget")).to_have_count(0)
    kept = person.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert KEY not in kept
    assert KEY not in app.log()
    for file in app.data_dir.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_judging_leaves_chatting_alone_can_be_stopped_and_continues_without_the_page(
    app: App, person: Person, served: Callable[..., JudgeServer]
) -> None:
    server = served(lambda asked, body: asked.silence())
    person.short()
    person.ask(QUESTION)
    opened(person, server)
    ask(person)
    expect(badge(person, 0)).to_contain_text("judging")
    person.ask("And of Japan?")
    expect(person.asked).to_have_count(2)
    expect(badge(person, 0)).to_contain_text("judging")
    person.page.click("#stop-judge")
    for lane in (0, 1):
        expect(badge(person, lane)).to_contain_text("stopped")
    expect(person.page.locator("#stop-judge")).to_have_count(0)

    slow = served()

    def late(asked: Asked, body: Body) -> None:
        slow.ended.wait(3)
        judge(asked, body)

    slow.behave = late
    opened(person, slow)
    ask(person)
    id = person.conversation
    url = person.page.url
    person.leave_for("about:blank")
    person.page.wait_for_timeout(5000)
    [done] = verdicts(app, id, 1)
    assert (done.outcome, done.scores) == ("scored", (8.0, 8.0))
    person.go(url)
    expect(badge(person, 0).last).to_contain_text("8")


def test_two_people_judge_the_same_turn_at_once(
    app: App, browser: Browser, person: Person, served: Callable[..., JudgeServer]
) -> None:
    server = served()
    person.short()
    person.ask("How many legs does an ant have?")
    other = Person(browser, app.url)
    other.go(f"{app.url}?c={person.conversation}")
    opened(person, server, model="one")
    opened(other, server, model="two")
    ask(person)
    ask(other)
    for each in (person, other):
        each.go(f"{app.url}?c={person.conversation}")
        expect(badge(each, 0)).to_contain_text(["one", "two"])
    assert sorted(v.judge for v in verdicts(app, person.conversation)) == ["one", "two"]
    assert {body["model"] for body in server.bodies} == {"one", "two"}
    other.close()


def test_in_the_blind_no_name_is_told(app: App, person: Person, served: Callable[..., JudgeServer]) -> None:
    server = served()
    person.short()
    person.page.click("#blind")
    expect(person.page.locator("#blind")).to_have_text("Reveal")
    person.ask(QUESTION)
    opened(person, server, "pairwise")
    ask(person)
    expect(badge(person, 0)).to_contain_text("tie, inconsistent")
    badge(person, 0).click()
    shown = person.page.locator("#lanes").inner_text()
    assert not re.search("urial|ift|base", shown, re.IGNORECASE), shown


def test_untrusted_users_judge_with_keys_of_their_own_alone(public_app: App, browser: Browser) -> None:
    person = Person(browser, public_app.url)
    try:
        person.short()
        person.ask("Tell me about the sea.")
        person.page.click("#open-judge")
        expect(person.page.locator("#judge-ask")).to_be_visible()
        assert not person.page.locator("#judge-server").is_visible()
        person.page.locator("#judge-model").locator("input, textarea").fill("gpt-4o")
        expect(person.page.locator("#judge-about")).to_contain_text("No API key is set for gpt-4o")
        person.page.click("#judge-ask")
        expect(person.page.locator("#judge-about .error")).to_contain_text("No API key is set for gpt-4o")
    finally:
        person.close()
