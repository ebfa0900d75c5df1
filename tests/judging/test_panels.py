"""Tests for panels of several judges: majority verdicts, agreement and bias statistics."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.cli.judge_report import verdicts_text
from playground.config import Settings
from playground.judging.client import JudgeModel
from playground.judging.cost import JudgeBudget
from playground.judging.families import families, family_warning
from playground.judging.judge_names import read_judge, read_judges
from playground.judging.panel import combine_verdicts
from playground.judging.run import Judgment
from playground.judging.service import Judges
from playground.scoreboard import build_board, list_boards
from playground.scoreboard.agreement import PanelComparison, measure_panel_agreement
from playground.secret import Secret
from playground.session import Session
from playground.statistics import fleiss_kappa
from playground.types import Conversation, InputError, Outcome, Verdict, to_json, verdict_from_json
from tests.helpers.commands import tandem
from tests.helpers.judge_dialog import panel, values
from tests.helpers.judge_server import Asked, Body, JudgeServer
from tests.helpers.judging import chat, own_words, request, session

# --- The rule -------------------------------------------------------------------------------------


def verdict(
    judge: str,
    outcome: Outcome,
    winner: int | None = None,
    scores: tuple[float | None, ...] = (),
    scale: tuple[float, float] | None = None,
) -> Verdict:
    return Verdict(
        id=f"id-{judge}",
        judge=judge,
        rubric="pairwise",
        lanes=(0, 1),
        judged=("a", "b"),
        outcome=outcome,
        winner=winner,
        scores=scores,
        scale=scale,
        error=None if outcome in ("win", "tie", "both-bad", "inconsistent", "scored") else "No.",
    )


SAID: dict[str, tuple[Outcome, int | None]] = {
    "0": ("win", 0),
    "1": ("win", 1),
    "t": ("tie", None),
    "i": ("inconsistent", None),
    "b": ("both-bad", None),
    "f": ("failed", None),
    "c": ("cancelled", None),
    "u": ("unfinished", None),
}


@pytest.mark.parametrize(
    ("said", "outcome", "winner"),
    [
        ("00", "win", 0),
        ("01", "tie", None),
        ("001", "win", 0),
        ("0t1", "tie", None),
        ("0ti", "tie", None),
        ("bb0", "both-bad", None),
        ("bt", "tie", None),
        ("11f", "win", 1),  # whatever the third says
        ("1tf", "failed", None),  # could have decided
        ("1ttf", "tie", None),  # two of four are no majority
        ("tttff", "tie", None),
        ("11tff", "failed", None),
        ("11tfc", "cancelled", None),
        ("1f", "failed", None),
        ("1u", "unfinished", None),
        ("00011", "win", 0),
        ("0011t", "tie", None),
    ],
)
def test_a_lane_wins_with_more_than_half_of_all_judges(said: str, outcome: str, winner: int | None) -> None:
    verdicts = [verdict(f"j{number}", *SAID[letter]) for number, letter in enumerate(said)]
    found = combine_verdicts(verdicts, "x")
    assert (found.outcome, found.winner) == (outcome, winner)
    assert found.panel == tuple(each.id for each in verdicts)
    assert found.judge == "majority of " + ", ".join(each.judge for each in verdicts)
    assert combine_verdicts(verdicts[::-1], "x").judge == found.judge
    assert (found.error is not None) == (outcome in ("failed", "cancelled"))
    assert verdict_from_json(json.loads(json.dumps(to_json(found)))) == found


def test_of_scores_the_median_counts_and_a_missing_one_is_no_zero() -> None:
    scale = (1.0, 10.0)
    given = [(3.0, 9.0), (10.0, 9.0), (4.0, 2.0)]
    verdicts = [verdict(f"j{n}", "scored", scores=scores, scale=scale) for n, scores in enumerate(given)]
    found = combine_verdicts(verdicts, "x")
    assert (found.outcome, found.scores, found.scale) == ("scored", (4.0, 9.0), scale)
    half = verdict("j9", "failed", scores=(5.0, None), scale=scale)
    found = combine_verdicts([*verdicts[:2], half], "x")
    assert (found.outcome, found.scores) == ("failed", (5.0, None))
    assert found.error is not None
    assert "j9 gave no verdict: judge again" in found.error


def test_judges_are_named_by_model_and_server() -> None:
    assert read_judge("gpt-4o") == ("gpt-4o", None)
    assert read_judge(" small@http://127.0.0.1:8000/v1 ") == ("small", "http://127.0.0.1:8000/v1")
    assert read_judge("@cf/meta/llama@https://a.example/v1") == ("@cf/meta/llama", "https://a.example/v1")
    assert read_judge("claude@20240229") == ("claude@20240229", None)
    assert read_judges("a, b@https://x/v1,") == [("a", None), ("b", "https://x/v1")]
    with pytest.raises(InputError, match="at most 5 judges, not 6"):
        read_judges("a,b,c,d,e,f")
    with pytest.raises(InputError, match="a is listed twice"):
        read_judges("a,b,a")


# --- Agreement ------------------------------------------------------------------------------------

FLEISS_TABLE = """
0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7
"""
"""How many of 14 raters put each of 10 items into each of 5 categories: a worked example of textbooks."""


@pytest.mark.parametrize(
    "text",
    [
        "a@ftp://x", "a@", "@", "a@http://", "@http://x", "@https://x/v1", "a@http:/x", "a@https:x", "http://x/v1",
        "a@http://x#y", "a@http://x/v1#", "a@http://x y", "a@ws+unix://x", " a@ ", "@cf/meta/llama@ftp://x",
    ],
)  # fmt: skip
def test_a_mistyped_server_is_no_models_name(text: str) -> None:
    with pytest.raises(InputError, match=r"Invalid judge .*: write MODEL, MODEL@http://SERVER or"):
        read_judge(text)


def test_a_mistyped_server_is_named_without_its_password() -> None:
    with pytest.raises(InputError) as raised:
        read_judge("a@ftp://me:secret@x?key=sk-1#sk-2")
    assert "a@ftp://x'" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "sk-" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["@cf/meta/llama", "publisher/model@001", "a@b@c", "models/http", "hf:a@main"]
)
def test_an_at_sign_in_a_models_name_stays(name: str) -> None:
    assert read_judge(name) == (name, None)


def test_an_address_with_a_fragment_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(InputError, match="Remove the # and everything after it"):
        JudgeModel(model="a", server="http://x/v1#y")


def test_fleiss_kappa_is_that_of_the_worked_example() -> None:
    rows = [list(map(int, line.split())) for line in FLEISS_TABLE.split("\n") if line]
    items = [[name for name, count in zip("abcde", row, strict=True) for _ in range(count)] for row in rows]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([["a", "a"], ["b", "b"]]) == 1
    assert fleiss_kappa([["a", "b"], ["b", "a"]]) == -1
    assert fleiss_kappa([["a", "a"]] * 4) is None
    assert fleiss_kappa([]) is None
    with pytest.raises(ValueError, match="same number of raters"):
        fleiss_kappa([["a"], ["a", "b"]])


def test_the_interval_of_agreement_draws_whole_conversations() -> None:
    compared = [
        PanelComparison(
            conversation=str(number), sides=("first", "first" if number % 3 else "second", "first")
        )
        for number in range(30)
    ]
    found = measure_panel_agreement(["a", "b", "c"], compared)
    assert found is not None
    assert (found.same.hits, found.same.count, found.conversations) == (20, 30, 30)
    assert found.interval is not None
    assert found.kappa is not None
    low, high = found.interval
    assert low < found.kappa < high
    assert found == measure_panel_agreement(["a", "b", "c"], compared)
    assert measure_panel_agreement(["a", "b"], []) is None


# --- Families -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o", {"OpenAI"}),
        ("openai/gpt-4.1-mini", {"OpenAI"}),
        ("o3-mini", {"OpenAI"}),
        ("claude-3-5-sonnet-20241022", {"Anthropic"}),
        ("meta-llama/Llama-3.1-8B", {"Llama"}),
        ("Llama3-70b", {"Llama"}),
        ("mistralai/Mistral-7B-v0.1", {"Mistral"}),
        ("mixtral-8x7b", {"Mistral"}),
        ("Qwen/Qwen2.5-7B", {"Qwen"}),
        ("DeepSeek-R1-Distill-Qwen-7B", {"DeepSeek", "Qwen"}),
        ("microsoft/phi-4", {"Phi"}),
        ("google/gemma-2-9b", {"Google"}),
        ("models/pocket", set()),
        ("our-own-7b", set()),
        ("dolphin-2", set()),
        ("foo3", set()),
    ],
)
def test_a_family_is_told_by_a_models_name(name: str, family: set[str]) -> None:
    assert families(name) == family


def test_a_judge_of_the_familys_own_is_warned_of() -> None:
    warning = family_warning("mistral-large", ["mistralai/Mistral-7B-v0.1", "tuned"])
    assert warning is not None
    assert warning.startswith("mistral-large and mistralai/Mistral-7B-v0.1 are both Mistral models: ")
    assert family_warning("gpt-4o", ["mistralai/Mistral-7B-v0.1"]) is None
    assert "llama-x" in (family_warning("llama-3", ["base", "llama-x"]) or "")


# --- Asked for real -------------------------------------------------------------------------------


def behave(asked: Asked, body: Body) -> None:
    """Judge "first" prefers the first place, "long" the longer answer, "broken" fails."""
    text = body["messages"][-1]["content"]
    if body["model"] == "broken":
        asked.fail(400, "No such model.")
    elif body["model"] == "first":
        asked.say('{"reasons": "It comes first.", "verdict": "A"}')
    else:
        letter = "B" if text.index("Mine.") < text.index("Other.") else "A"
        asked.say(json.dumps({"reasons": "It is longer.", "verdict": letter}))


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    server = JudgeServer(behave)
    yield server
    server.end()


def ask_panel(
    talk: Session, conversation: Conversation, judges: Iterable[JudgeModel], budget: JudgeBudget | None = None
) -> list[Judgment]:
    return talk.judge(request(talk, conversation, 0, "pairwise", *judges), budget)


def begin(
    talk: Session, conversation: Conversation, server: JudgeServer, *models: str, **options: Any
) -> list[Verdict]:
    judges = [JudgeModel(model=model, server=server.url) for model in models]
    found = ask_panel(talk, conversation, judges, **options)
    return [each.wait(20) for each in found]


def test_a_panel_judges_and_its_majority_is_on_record(tmp_path: Path, server: JudgeServer) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    verdicts = begin(talk, conversation, server, "long", "long2", "first")
    assert [each.outcome for each in verdicts] == ["win", "win", "inconsistent", "win"]
    assert [each.winner for each in verdicts] == [0, 0, None, 0]
    assert verdicts[3].judge == "majority of first, long, long2"
    assert not talk.judges.running(conversation.id)
    again = session(tmp_path).open(conversation.id)
    assert again.turns[0].verdicts[-1] == verdicts[3]
    found = build_board([again], verdicts[3].judge, "pairwise")
    assert [(pair.first_wins, pair.second_wins) for pair in found.pairs] in ([(1, 0)], [(0, 1)])
    assert found.panel is not None
    assert found.panel.agreement is not None
    habits = {each.judge: each for each in found.panel.judges}
    assert habits["first"].first_place.value == 1
    assert habits["first"].inconsistent.value == 1
    assert habits["long"].first_place.value == 0.5
    assert habits["long"].longer.value == 1
    assert habits["long"].with_majority.value == 1
    assert habits["first"].with_majority.value == 0
    assert found.panel.agreement.same.hits == 0


def test_a_judge_that_fails_does_not_decide(tmp_path: Path, server: JudgeServer) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    *_, decided = begin(talk, conversation, server, "long", "long2", "broken")
    assert (decided.outcome, decided.winner) == ("win", 0)
    *_, open_ = begin(talk, conversation, server, "long", "broken")
    assert open_.outcome == "failed"
    assert open_.error is not None
    assert "broken" in open_.error
    asked = len(server.bodies)
    begin(talk, conversation, server, "long", "long2")
    assert len(server.bodies) == asked, "their replies are on record"


def test_what_keeps_one_judge_from_being_asked_keeps_all(tmp_path: Path, server: JudgeServer) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    judges = [JudgeModel(model="long", server=server.url), JudgeModel(model="gpt-4o")]
    with pytest.raises(InputError, match="No API key is set for gpt-4o"):
        ask_panel(talk, conversation, judges)
    budget = session(tmp_path, judge_budget=3000).judge_budget()
    judges = [JudgeModel(model=name, server=server.url) for name in ("long", "long2")]
    with pytest.raises(InputError, match="tokens"):
        ask_panel(talk, conversation, judges, budget=budget)
    assert budget.left == 3000
    assert not server.bodies
    assert not talk.verdicts(conversation)[0]
    with pytest.raises(InputError, match="listed twice"):
        ask_panel(talk, conversation, [judges[0], judges[0]])


def test_a_panel_can_be_stopped_and_says_so(tmp_path: Path) -> None:
    go_on = threading.Event()
    held = JudgeServer(lambda asked, body: go_on.wait(30))
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    judges = [JudgeModel(model=name, server=held.url) for name in ("a", "b")]
    *each, whole = ask_panel(talk, conversation, judges)
    assert whole.verdict.outcome == "unfinished"
    assert len(talk.judges.running(conversation.id)) == 3
    assert [v.outcome for v in session(tmp_path).verdicts(conversation)[0]] == ["unfinished"] * 3
    talk.cancel_judgment(whole.verdict.id)
    assert whole.wait(20).outcome == "cancelled"
    assert [one.wait(20).outcome for one in each] == ["cancelled", "cancelled"]
    go_on.set()
    held.end()


def test_another_hosts_key_goes_to_that_host_alone() -> None:
    keys = {
        "TANDEM_JUDGE_KEY_API_ONE_EXAMPLE": "sk-one",
        "TANDEM_JUDGE_KEY_127_0_0_1_8000": "sk-here",
        "OPENAI_API_KEY": "sk-openai",
    }
    settings = Settings.read({}, keys)
    judges = Judges.__new__(Judges)
    judges.settings = settings
    assert judges.model("m", "https://api.one.example/v1").key == Secret("sk-one")
    assert judges.model("m", "http://api.one.example/v1").key is None, "it could be read on the way"
    assert judges.model("m", "http://127.0.0.1:8000/v1").key == Secret("sk-here")
    assert judges.model("m", "https://api.two.example/v1").key is None
    assert judges.model("m").key == Secret("sk-openai")
    assert "sk-" not in repr(settings)


def test_the_command_line_asks_a_panel(tmp_path: Path, server: JudgeServer) -> None:
    conversation = chat(session(tmp_path, own_words), "One?", "Two?")
    judges = ["--judge", "long", "--judge", f"first@{server.url}", "--judge", "long2"]
    common = ("judge", conversation.id, "--rubric", "pairwise", *judges, "--data-dir", tmp_path)
    result = tandem(*common, "--json", TANDEM_JUDGE_URL=server.url)
    assert result.returncode == 0, result.stderr.decode()
    document = json.loads(result.stdout)
    assert [entry["outcome"] for entry in document["verdicts"]] == ["win", "inconsistent", "win", "win"] * 2
    (found,) = document["panels"]
    assert [each["judge"] for each in found["judges"]] == ["first", "long", "long2"]
    assert found["agreement"]["same"] == {"hits": 0, "count": 2}
    text = tandem(*common, TANDEM_JUDGE_URL=server.url).stdout.decode()
    assert "majority of first, long, long2: base wins" in text
    assert "all judges agree in 0 of 2 comparisons; Fleiss' kappa" in text
    assert "first: with the majority 0 of 2, inconsistent 2 of 2, answer shown first wins 4 of 4" in text
    six = [word for name in "abcdef" for word in ("--judge", name)]
    refused = tandem("judge", conversation.id, *six, "--data-dir", tmp_path)
    assert refused.returncode == 2
    assert b"at most 5 judges" in refused.stderr
    mixed = tandem("judge", conversation.id, "--judge", "reference", "--judge", "a", "--data-dir", tmp_path)
    assert b"cannot be in a panel" in mixed.stderr


def test_the_command_line_warns_of_a_judge_of_the_bases_family(tmp_path: Path, server: JudgeServer) -> None:
    conversation = chat(session(tmp_path, own_words), "One?")
    result = tandem(
        *(
            "judge",
            conversation.id,
            "--rubric",
            "pairwise",
            "--judge",
            "mistral-large",
            "--data-dir",
            tmp_path,
        ),
        TANDEM_JUDGE_URL=server.url,
        TANDEM_BASE="mistralai/Mistral-7B-v0.1",
    )
    assert b"are both Mistral models" in result.stderr


# --- The page -------------------------------------------------------------------------------------


def test_the_page_asks_a_panel_and_asks_again_as_it_was(tmp_path: Path, server: JudgeServer) -> None:
    made, state, _ = panel(tmp_path, judge_url=server.url)
    asked = values(rubric="pairwise", model=f"long, first@{server.url}/, long2")
    told = made.on_control(state, *asked)[made.about]
    assert "6 calls" in told
    assert "are both" not in told
    made.on_ask(state, "", *asked)
    for each in made.running(state):
        each.wait(20)
    assert state.conversation is not None
    found = made.controller.session.all_verdicts(state.conversation)[0]
    assert [each.judge for each in found][-1] == "majority of first, long, long2"
    updates = made.act_on(state, "judge-again", 0, found[-1].id)
    assert set(updates[made.controls.model].split(", ")) == {"long", "first", "long2"}
    six = made.on_control(state, *values(model="a,b,c,d,e,f"))[made.about]
    assert "at most 5 judges" in six


def test_the_page_warns_of_a_judge_of_the_bases_family(tmp_path: Path, server: JudgeServer) -> None:
    made, state, _ = panel(tmp_path, judge_url=server.url)
    talk = made.controller.session
    talk.library = dataclasses.replace(talk.library, base="Qwen/Qwen2.5-7B")
    told = made.on_control(state, *values(model="qwen-max"))[made.about]
    assert "are both Qwen models" in told


# --- The same model on several servers -------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "http://H:80/v1/chat/completions",
        "HTTP://h/v1/",
        "http://h:80/v1",
        "http://h./v1/chat/completions/",
    ],
)
def test_the_same_request_address_is_the_same_judge(other: str) -> None:
    with pytest.raises(InputError, match="x is listed twice"):
        read_judges(f"x@http://h/v1, x@{other}")


def test_other_addresses_are_other_judges() -> None:
    text = "x@http://h/v1, x@https://h/v1, x@http://h:81/v1, x@http://h/v1?api-version=2"
    assert len(read_judges(text)) == 4


@pytest.mark.parametrize("text", ["x@http://[::1", "x@http://h:99999"])
def test_an_address_in_a_list_that_cannot_be_read_is_reported(text: str) -> None:
    with pytest.raises(InputError, match="server's address"):
        read_judges(text)


def test_judges_that_share_a_model_are_named_with_their_host() -> None:
    def at(judge: str, server: str, outcome: Outcome = "tie") -> Verdict:
        return dataclasses.replace(verdict(judge, outcome), id=judge + server, server=server)

    same = [at("x", "http://one/v1"), at("x", "http://two:81/v1"), at("z", "http://one/v1")]
    assert combine_verdicts(same, "m").judge == "majority of x at one, x at two:81, z"
    paths = [at("x", "http://one/a", "failed"), at("x", "http://one/b", "failed"), at("x", "http://two/a")]
    found = combine_verdicts(paths, "m")
    assert found.judge == "majority of x at http://one/a, x at http://one/b, x at two"
    assert found.error is not None
    assert "No majority, because x at http://one/a, x at http://one/b gave no verdict" in found.error


def test_figures_of_the_same_model_on_two_servers_are_apart(tmp_path: Path) -> None:
    def says(letter: str) -> JudgeServer:
        return JudgeServer(lambda asked, body: asked.say(json.dumps({"reasons": "r", "verdict": letter})))

    servers = [says("A"), says("tie")]
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    judges = [
        JudgeModel(model=name, server=server.url)
        for name, server in (("x", servers[0]), ("x", servers[1]), ("z", servers[0]))
    ]
    for judging in ask_panel(talk, conversation, judges):
        judging.wait(30)
    stored = talk.judges.store.load(conversation.id)
    hosts = [server.url.split("/")[2] for server in servers]
    names = [*sorted(f"x at {host}" for host in hosts), "z"]
    text = verdicts_text(stored, [(0, each) for each in stored.turns[0].verdicts], servers[0].url)
    assert "pairwise by x: " in text, "the settings' own server is not named"
    assert f"pairwise by x at {servers[1].url}: " in text
    boards = [judge for judge, _ in list_boards([stored])]
    assert boards == [f"majority of {', '.join(names)}", *names]
    panel_of = build_board([stored], boards[0], "pairwise").panel
    assert panel_of is not None
    assert [judge.judge for judge in panel_of.judges] == names
    assert all(judge.with_majority.count == 1 for judge in panel_of.judges)
    assert [len(build_board([stored], name, "pairwise").pairs) for name in names] == [1, 1, 1]
    for server in servers:
        server.end()
