"""Tests for sessions on the scripted engine, from sending a message to storing the answers."""

from __future__ import annotations

import dataclasses
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from playground.aligners import ift, urial
from playground.engine.scripted import Script, ScriptedEngine
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.session import HistoryMode, Session, choose_histories
from playground.store import FILE, INTERRUPTED, MIGRATIONS, STREAMING, Store
from playground.types import Conversation, InputError, OutsideError, Prompt, Request, Sampling
from tests.helpers.checked import request_of, there
from tests.helpers.waiting import until


def answer_with(text: str) -> Callable[[Request], Script]:
    """A script that says `text` in tokens of one word, then closes its block."""
    return lambda request: [*(f"{word} " for word in text.split()), "\n```\n\n# Query:\n"]


@pytest.fixture
def library() -> Library:
    return Library.open("models/pocket")


def session(
    library: Library, tmp_path: Path, script: Callable[[Request], Script] | None = None, delay: float = 0.0
) -> Session:
    return Session(ScriptedEngine(script or answer_with("All right."), delay), library, Store(tmp_path))


def scripted(session: Session) -> ScriptedEngine:
    """Return the session's engine."""
    assert isinstance(session.engine, ScriptedEngine)
    return session.engine


def new(session: Session, *specs: str) -> Conversation:
    return session.new([session.variant(spec) for spec in specs or ("base", "urial")])


def last(snapshots: Iterable[Conversation]) -> Conversation:
    """The final snapshot of a send."""
    return list(snapshots)[-1]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "unknown",
            "There is no lane 'unknown': choose one of base, chat, few-shot-chat, ift, pocket-ift",
        ),
        ("base:k=3", "This lane has no option 'k': it has no options of its own"),
        ("urial:demos=nothing", "There is no demonstration set 'nothing'"),
        ("urial:k=9", "choose k from 0 to 3"),
        ("urial:k=three", "k must be a non-negative integer, not 'three'"),
        ("urial:temperature=warm", "Temperature must be a number, not 'warm'"),
        ("urial:temperature=-1", "Temperature must be 0 (greedy) or more"),
        ("urial:top_p=0", "Top-p must be above 0"),
        ("urial:k", "'k' is not key=value: write k=VALUE, or put quotes around"),
        ("urial:k=1,k=2", "'k' is set twice: remove one of the two"),
        ("base:stop=paper", "This lane does not support stop rules: remove stop=paper"),
        ("pocket-ift:stop=own", "This lane does not support stop rules"),
        ("urial:adapter=unknown", "There is no adapter 'unknown'"),
        ("ift", "This lane needs an adapter"),
        ("pocket-ift:adapter=x", "is itself an adapter"),
    ],
)
def test_a_lane_that_cannot_be_is_refused_in_one_sentence(library: Library, spec: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_lane(spec, library)
    assert said in str(caught.value)


def test_a_lane_is_its_aligner_and_its_decoding(library: Library) -> None:
    lane = parse_lane("urial:demos=pocket-3,k=2,temperature=0.7", library, Sampling(seed=4, top_p=0.9))
    assert lane.sampling == Sampling(temperature=0.7, seed=4, top_p=0.9)
    assert isinstance(lane.aligner, urial.Aligner)
    assert len(lane.aligner.demos.demos) == 2
    assert lane.name == "urial:demos=pocket-3,k=2,temperature=0.7"
    assert parse_lane("pocket-ift", library).aligner.adapter == "pocket-ift"
    assert parse_lane("urial:adapter=pocket-ift", library).aligner.adapter == "pocket-ift"


def test_equal_recipes_have_equal_hashes(library: Library) -> None:
    one = parse_lane("urial:k=3", library)
    assert one.recipe == parse_lane("urial:demos=pocket-3", library).recipe
    assert one.recipe != parse_lane("urial:k=2", library).recipe
    assert one.recipe != parse_lane("urial:k=3,seed=1", library).recipe


def test_every_lane_is_asked_on_its_own_history(library: Library, tmp_path: Path) -> None:
    talk = session(
        library, tmp_path, lambda r: ["base says" if "# Query" not in r.prompt.text else "urial says"]
    )
    conversation = last(talk.send(new(talk), "One?"))
    conversation = last(talk.send(conversation, "Two?"))
    raw, urial = (request_of(answer).prompt.text for answer in conversation.turns[1].answers)
    assert raw == "One?\nbase says\nTwo?\n"
    assert urial.endswith(
        "# Query:\n```\nOne?\n```\n\n# Answer:\n```\nurial says\n```\n\n"
        "# Query:\n```\nTwo?\n```\n\n# Answer:\n```\n"
    )


def test_the_record_holds_exactly_what_was_asked_and_what_came(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    conversation = last(talk.send(new(talk, "urial:temperature=0.5", "pocket-ift"), "One \u2028 \U0001f600?"))
    conversation = last(talk.send(conversation, "Two?"))
    # Another session on the same folder, as after a restart.
    again = session(library, tmp_path)
    assert again.open(conversation.id) == conversation
    assert [summary.title for summary in again.history()] == ["One \u2028 \U0001f600?"]
    assert [r for turn in conversation.turns for a in turn.answers for r in [a.request]] == scripted(
        talk
    ).requests


def test_an_empty_message_is_refused_and_nothing_is_recorded(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    for text in ("", " \n\t"):
        with pytest.raises(InputError, match="message is empty"):
            next(talk.send(new(talk), text))
    with pytest.raises(InputError, match=r"message contains .*udc80.*half a character"):
        next(talk.send(new(talk), "a \udc80 b"))
    assert talk.history() == []
    assert scripted(talk).requests == []


def test_a_lane_that_fails_carries_its_error_and_the_other_continues(
    library: Library, tmp_path: Path
) -> None:
    def script(request: Request) -> list[str] | Exception:
        return ValueError("no room") if "# Query" in request.prompt.text else ["fine"]

    talk = session(library, tmp_path, script)
    conversation = last(talk.send(new(talk), "Hi"))
    good, bad = (answer.reply for answer in conversation.turns[0].answers)
    assert (good.text, good.finish) == ("fine", "stop")
    assert (bad.text, bad.finish, bad.error) == ("", "error", "no room")
    # The failed turn is not in that lane's history, where an empty answer would stand for it.
    assert [m.text for m in conversation.history(1)] == []
    assert talk.open(conversation.id) == conversation


def test_a_lane_whose_prompt_cannot_be_written_fails_alone(library: Library, tmp_path: Path) -> None:
    import dataclasses

    from playground.types import ChatFormat

    talk = session(library, tmp_path)
    variant = talk.variant("pocket-ift")
    assert isinstance(variant.aligner, ift.Aligner)
    broken = dataclasses.replace(variant.aligner, format=ChatFormat(template="{{ raise_exception('no') }}"))
    lanes = [dataclasses.replace(variant, aligner=broken), talk.variant("base")]
    conversation = last(talk.send(talk.new(lanes), "Hi"))
    bad, good = conversation.turns[0].answers
    assert bad.request is None
    assert "cannot render this conversation: no" in there(bad.reply.error)
    assert good.reply.finish == "stop"
    assert talk.open(conversation.id) == conversation


def test_stopping_keeps_what_was_written_and_frees_the_engine(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, answer_with("one two three " * 100), delay=0.02)
    snapshots = talk.send(new(talk), "Go on")
    for conversation in snapshots:
        if conversation.turns[-1].answers[0].reply.new_tokens > 3:
            break
    snapshots.close()
    until(lambda: scripted(talk).open_streams == 0)
    stored = talk.open(conversation.id)
    for lane in (0, 1):
        reply = stored.turns[0].answers[lane].reply
        assert reply.finish == "cancelled"
        assert reply.text.startswith(conversation.turns[0].answers[lane].reply.text)
        assert reply.text.startswith("one two three")
    assert last(talk.send(stored, "Again")).turns[0] == stored.turns[0]


def test_snapshots_grow_and_come_often_enough_to_stop(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, answer_with("word " * 60), delay=0.01)
    texts = [c.turns[-1].answers[1].reply.text for c in talk.send(new(talk), "Hi")]
    assert len(texts) >= 5
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))


def test_a_crash_leaves_what_was_streamed_and_says_so(library: Library, tmp_path: Path) -> None:
    """The turn is written before its first token and while it streams; a crash writes nothing more."""
    talk = session(library, tmp_path, answer_with("word " * 300), delay=0.02)
    snapshots = talk.send(new(talk), "Hi")
    next(snapshots)
    rows = Store(tmp_path).load(talk.history()[0].id)
    reply = rows.turns[0].answers[0].reply
    assert (reply.finish, reply.error) == ("error", INTERRUPTED)
    assert rows.turns[0].answers[0].request == scripted(talk).requests[0] if scripted(talk).requests else True
    snapshots.close()


def test_closing_records_an_answer_without_a_reader_as_stopped(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda request: ["on and "] * 500, delay=0.01)
    sending = talk.send(new(talk), "Question")
    snapshot = next(shown for shown in sending if all(a.reply.text for a in shown.turns[-1].answers))
    talk.close()  # the reader has gone, and has closed nothing
    recorded = Store(tmp_path).load(snapshot.id).turns[-1].answers
    assert [answer.reply.finish for answer in recorded] == ["cancelled", "cancelled"]
    assert all(answer.reply.text.startswith("on and") for answer in recorded)
    assert last(sending).turns[-1].answers == recorded  # and what comes late changes nothing
    assert Store(tmp_path).load(snapshot.id).turns[-1].answers == recorded


def test_another_page_is_told_that_an_answer_is_still_being_written(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, answer_with("word " * 300), delay=0.02)
    snapshots = talk.send(new(talk), "Hi")
    id = next(snapshots).id
    assert talk.open(id).turns[0].answers[0].reply.error == STREAMING
    snapshots.close()
    assert talk.open(id).turns[0].answers[0].reply.finish == "cancelled"


def test_many_conversations_at_once_are_each_recorded_whole(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda r: [r.prompt.text[:9]], delay=0.001)
    ids = {}

    def chat(name: str) -> None:
        conversation = new(talk, "base")
        for turn in range(3):
            conversation = last(talk.send(conversation, f"{name} {turn}"))
        ids[name] = conversation.id

    threads = [threading.Thread(target=chat, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, id in ids.items():
        assert [turn.user for turn in talk.open(id).turns] == [f"{name} {turn}" for turn in range(3)]


def test_the_next_answers_wait_until_the_last_ones_are_on_record(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the end of the last ones would be written over what the next ones began with."""
    talk = session(library, tmp_path)
    save, refused = talk.store.save, []

    def met_by_another(conversation: Conversation, *options: Any) -> None:
        if conversation.turns[-1].answers[0].reply.finish == "stop":
            with pytest.raises(InputError, match="still being written"):
                next(talk.retry(conversation, [0]))
            refused.append(conversation)
        save(conversation, *options)

    monkeypatch.setattr(talk.store, "save", met_by_another)
    conversation = last(talk.send(new(talk), "One"))
    assert refused
    monkeypatch.undo()
    assert last(talk.retry(conversation, [0])).turns[0].answers[0].version == 1


def test_the_record_is_read_as_of_one_moment(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    once = last(talk.send(new(talk), "One"))
    grown = [dataclasses.replace(once, turns=once.turns * (1 + turns)) for turns in range(120)]

    def write() -> None:
        for each in grown:
            talk.store.save(each)

    writer = threading.Thread(target=write)
    writer.start()
    seen = {}
    while writer.is_alive():
        loaded = talk.store.load(once.id)
        seen[len(loaded.turns)] = loaded
    writer.join()
    assert len(seen) > 10
    assert all(loaded == grown[turns - 1] for turns, loaded in seen.items())


def test_one_answer_of_a_lane_is_shown_whichever_was_written_last(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    once = last(talk.send(new(talk), "One"))
    twice = last(talk.retry(once, [0]))
    talk.store.save(once)  # which knows of one version
    [turn] = talk.open(once.id).turns
    assert turn.answers == once.turns[0].answers
    assert turn.all(0) == twice.turns[0].all(0)


def test_warming_up_puts_the_beginning_of_every_prompt_to_the_engine(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[Prompt] = []
    talk = session(library, tmp_path)
    monkeypatch.setattr(talk.engine, "warm", warmed.extend)
    talk.warm([talk.variant("urial"), talk.variant("pocket-ift")])
    asked = talk.request(new(talk, "urial"), 0, "Anything").prompt
    start = warmed[0].text[: warmed[0].text.rindex("# Query:\n```\n")]
    assert asked.text.startswith(start)
    assert [prompt.adapter for prompt in warmed] == [None, "pocket-ift"]


def test_history_finds_words_of_the_user_and_takes_wildcards_literally(
    library: Library, tmp_path: Path
) -> None:
    talk = session(library, tmp_path)
    for text in ("100% sure", "a_b", "plain"):
        last(talk.send(new(talk), text))
    assert [s.title for s in talk.history("0%")] == ["100% sure"]
    assert [s.title for s in talk.history("_")] == ["a_b"]
    assert [s.title for s in talk.history()] == ["plain", "a_b", "100% sure"]
    with pytest.raises(InputError, match="There is no conversation 'nope'"):
        talk.open("nope")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="choose another folder with --data-dir"):
        Store(tmp_path / "file")


def test_a_record_from_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(InputError, match="written by a newer version of Tandem"):
        Store(tmp_path)


def test_a_damaged_record_is_a_failure_and_not_an_empty_history(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / FILE).write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(OutsideError, match="cannot be used"):
        store.summaries()


# --- Again, further, otherwise --------------------------------------------------------------------


def counting() -> Callable[[Request], Script]:
    """A script whose every answer is another one."""
    number = itertools.count(1)
    return lambda request: [f"answer {next(number)}"]


def test_a_retry_keeps_the_answer_before_and_asks_with_another_seed(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, counting())
    conversation = last(talk.send(new(talk, "base:temperature=0.7,seed=5", "urial"), "Hi"))
    first = conversation.turns[0].answers
    conversation = last(talk.retry(conversation, [0]))
    turn = conversation.turns[0]
    assert turn.answers[1] == first[1]
    assert [answer.version for answer in turn.all(0)] == [0, 1]
    assert turn.all(0)[0] == first[0]
    assert turn.all(0)[1].text != first[0].text
    assert [request_of(answer).sampling.seed for answer in turn.all(0)] == [5, 6]
    assert talk.open(conversation.id) == conversation
    # The next message continues from what is shown, and that can be changed back.
    back = talk.show(conversation, 0, 0)
    assert talk.open(conversation.id) == back
    assert back.turns[0].answers == first
    for shown in (conversation, back):
        text = shown.turns[0].answers[0].text
        assert talk.request(shown, 0, "Go on").prompt.text == f"Hi\n{text}\nGo on\n"


def test_greedy_lanes_are_asked_again_exactly_as_before(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    conversation = last(talk.send(new(talk), "Hi"))
    conversation = last(talk.retry(conversation, [0, 1]))
    for lane in (0, 1):
        before, again = conversation.turns[0].all(lane)
        assert again.request == before.request


def test_what_there_is_not_cannot_be_retried_or_shown(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    with pytest.raises(InputError, match="There is no message yet"):
        last(talk.retry(new(talk), [0]))
    conversation = last(talk.send(new(talk), "Hi"))
    for lanes in ([], [2], [-1]):
        with pytest.raises(InputError, match="has no answer to this message"):
            last(talk.retry(conversation, lanes))
    with pytest.raises(InputError, match="There is no version 2"):
        talk.show(conversation, 0, 1)
    with pytest.raises(InputError, match="is complete"):
        last(talk.continue_answer(conversation, 0))


def test_a_prefilled_answer_continues_from_its_prefill(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda request: [" of", " France", " is Paris."])
    conversation = last(talk.send(new(talk), "Capital?", prefill="The capital"))
    raw, urial = conversation.turns[0].answers
    assert request_of(raw).prompt.text == "Capital?\nThe capital"
    assert request_of(urial).prompt.text.endswith("# Answer:\n```\nThe capital")
    assert request_of(urial).prompt.parts[-1].kind == "start"
    assert (urial.reply.text, urial.text) == (" of France is Paris.", "The capital of France is Paris.")
    assert talk.open(conversation.id) == conversation
    later = talk.request(conversation, 1, "And?").prompt.text
    assert "# Answer:\n```\nThe capital of France is Paris.\n```\n" in later


def test_an_answer_that_was_cut_off_can_go_on(library: Library, tmp_path: Path) -> None:
    def script(request: Request) -> list[str] | Exception:
        prefill = request.prompt.prefill
        return ["```py\n", "one\n", "two\n"] if not prefill else ["three\n```\ndone.", "\n```\n\n# Query:\n"]

    talk = session(library, tmp_path, script)
    conversation = last(talk.send(new(talk, "urial:max_new_tokens=2"), "Count"))
    cut = conversation.turns[0].answers[0]
    assert (cut.reply.finish, cut.text) == ("length", "```py\none")
    conversation = last(talk.continue_answer(conversation, 0))
    longer = conversation.turns[0].answers[0]
    assert longer.version == 1
    assert request_of(longer).prompt.prefill == "```py\none\n"
    # The code block was opened before: its end is not taken for the answer's.
    assert longer.text == "```py\none\nthree\n```\ndone."
    assert conversation.turns[0].continued_tokens(0) == cut.reply.new_tokens == 2
    assert talk.open(conversation.id) == conversation

    # A prefill is not an answer that was continued.
    again = last(talk.retry(conversation, [0], prefill="Else"))
    assert again.turns[0].continued_tokens(0) == 0
    assert talk.show(again, 0, 0).turns[0].continued_tokens(0) == 0


def test_one_lane_is_stopped_alone(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda request: ["word "] * 60, delay=0.01)
    started = conversation = new(talk)
    for conversation in talk.send(started, "Go on"):
        if conversation.turns[-1].answers[0].reply.new_tokens > 3:
            talk.stop(conversation.id, 0)
    stopped, ended = (answer.reply for answer in conversation.turns[-1].answers)
    assert (stopped.finish, ended.finish) == ("cancelled", "stop")
    assert 3 < stopped.new_tokens < 60
    assert ended.new_tokens == 60
    assert talk.open(conversation.id) == conversation
    until(lambda: scripted(talk).open_streams == 0)


def test_all_lanes_are_stopped_from_another_thread(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda request: ["word "] * 600, delay=0.01)
    sending = talk.send(new(talk), "Go on")
    id = next(sending).id
    threading.Timer(0.2, talk.stop, [id]).start()
    began = time.monotonic()
    conversation = last(sending)
    assert time.monotonic() - began < 5
    assert [answer.reply.finish for answer in conversation.turns[-1].answers] == ["cancelled"] * 2
    talk.stop(id)  # and once more does nothing


def test_a_conversation_is_asked_one_thing_at_a_time(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, lambda request: ["word "] * 100, delay=0.01)
    sending = talk.send(new(talk), "Hi")
    conversation = next(sending)
    for other in (talk.send(conversation, "Ho"), talk.retry(conversation, [0])):
        with pytest.raises(InputError, match="still being written"):
            next(other)
    sending.close()
    assert len(talk.open(conversation.id).turns) == 1


def test_a_branch_begins_with_the_first_turns_and_leaves_the_other_alone(
    library: Library, tmp_path: Path
) -> None:
    talk = session(library, tmp_path, counting())
    conversation = new(talk, "base", "urial", "pocket-ift")
    for text in ("One?", "Two?", "Three?"):
        conversation = last(talk.send(conversation, text))
    branch = talk.branch(conversation, 2)
    assert (branch.turns, branch.variants) == (conversation.turns[:2], conversation.variants)
    assert branch.parent == conversation.id
    with pytest.raises(InputError, match="There is no conversation"):
        talk.open(branch.id)
    branch = last(talk.send(branch, "Other?"))
    assert talk.open(branch.id) == branch
    assert talk.open(conversation.id) == conversation
    # Lanes in another order: each keeps its own answers.
    swapped = talk.branch(conversation, 3, [2, 0, 2])
    assert [v.name for v in swapped.variants] == ["pocket-ift", "base", "pocket-ift"]
    assert swapped.history(1) == conversation.history(0)
    assert swapped.history(0) == swapped.history(2) == conversation.history(2)
    for turns, lanes in ((4, None), (-1, None), (1, []), (1, [3])):
        with pytest.raises(InputError):
            talk.branch(conversation, turns, lanes)


def test_lanes_can_go_on_from_one_anothers_answers(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path, counting())
    conversation = last(talk.send(new(talk, "base", "base:seed=1"), "Hi"))
    said = [answer.text for answer in conversation.turns[0].answers]
    modes: list[tuple[HistoryMode, tuple[int, int]]] = [
        ("own", (0, 1)),
        ("shared", (1, 1)),
        ("swapped", (1, 0)),
    ]
    for mode, whose in modes:
        asked = last(talk.send(talk.branch(conversation, 1), "So?", choose_histories(mode, 2, leader=1)))
        prompts = [request_of(answer).prompt.text for answer in asked.turns[1].answers]
        assert prompts == [f"Hi\n{said[lane]}\nSo?\n" for lane in whose]
        assert talk.open(asked.id) == asked
        again = last(talk.retry(asked, [0]))
        assert request_of(again.turns[1].answers[0]).prompt.text == prompts[0]


def test_a_record_of_the_first_format_is_read_and_written_on(library: Library, tmp_path: Path) -> None:
    talk = session(library, tmp_path)
    conversation = last(talk.send(new(talk), "Hi"))
    with sqlite3.connect(tmp_path / FILE) as db:
        rows = {
            table: db.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("conversation", "turn", "answer")
        }
    db.close()
    (tmp_path / FILE).unlink()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"{FILE}{suffix}").unlink(missing_ok=True)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        db.execute("INSERT INTO conversation VALUES (?, ?, ?, ?)", rows["conversation"][0][:4])
        db.execute("INSERT INTO turn VALUES (?, ?, ?, ?)", rows["turn"][0][:4])
        for id, turn, lane, _version, _shown, *rest in rows["answer"]:
            db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", (id, turn, lane, *rest))
    db.close()
    again = session(library, tmp_path)
    assert again.open(conversation.id) == conversation
    conversation = last(again.retry(conversation, [0]))
    assert again.open(conversation.id) == conversation
