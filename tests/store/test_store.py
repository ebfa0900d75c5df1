"""Tests for the database: concurrent processes, damaged rows and repair."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.rubrics.candidates import answered_lanes
from playground.scoreboard import build_board
from playground.session import Session
from playground.store import FILE, LOST_TURN, MISSING, ConflictError, Store
from playground.store.repair import find_damage, repair_record
from playground.types import Conversation, InputError, JudgeCall, OutsideError, Reply
from tests.helpers.judging import cast_vote, request


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.open("models/pocket")


def open_session(library: Library, folder: Path) -> Session:
    return Session(ScriptedEngine(lambda request: ["All ", "right."]), library, Store(folder))


def read_last(snapshots: Iterable[Conversation]) -> Conversation:
    return list(snapshots)[-1]


def ask(talk: Session, *messages: str) -> Conversation:
    conversation = talk.new([talk.variant("base"), talk.variant("urial")])
    for message in messages:
        conversation = read_last(talk.send(conversation, message))
    return conversation


def damage(folder: Path, *statements: str) -> None:
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def set_reply(conversation: Conversation, lane: int, **fields: Any) -> Conversation:
    *before, turn = conversation.turns
    answer = turn.answers[lane]
    answer = dataclasses.replace(answer, reply=dataclasses.replace(answer.reply, **fields))
    return dataclasses.replace(conversation, turns=(*before, turn.select(answer, lane)))


def unfinish(conversation: Conversation) -> Conversation:
    for lane in range(2):
        conversation = set_reply(conversation, lane, finish="", text="All", raw_text="All")
    return conversation


Parts = tuple[sqlite3.Connection, list[tuple[int, str]], tuple[str]]
Stale = tuple[Session, Session, Conversation, Conversation, Parts]


# --- Two processes ------------------------------------------------------------------------------------


@pytest.fixture
def stale(library: Library, tmp_path: Path) -> Stale:
    """Sessions of two processes; the first one's finished conversation; the same as read in mid-stream."""
    one, other = open_session(library, tmp_path), open_session(library, tmp_path)
    finished = ask(one, "First")
    growing = unfinish(finished)
    text = json.dumps(dataclasses.asdict(growing.turns[0].answers[0].reply))
    db = sqlite3.connect(tmp_path / FILE)
    [kept] = set(db.execute("SELECT reply FROM answer WHERE lane = 0"))
    rows = db.execute("SELECT lane, reply FROM answer").fetchall()
    db.execute("UPDATE answer SET reply = ?", (text,))
    db.commit()
    there = other.open(finished.id)
    return one, other, finished, there, (db, rows, kept)


def finish(parts: Parts) -> None:
    db, rows, _ = parts
    for lane, reply in rows:
        db.execute("UPDATE answer SET reply = ? WHERE lane = ? AND version = 0", (reply, lane))
    db.commit()


def test_an_answer_that_was_read_unfinished_never_replaces_the_finished_one(
    stale: Stale, tmp_path: Path
) -> None:
    _, other, finished, there, parts = stale
    assert {answer.reply.finish for answer in there.turns[0].answers} == {"error"}
    growing = other.retry(there, [0])  # while the first process is still writing
    next(growing)
    finish(parts)
    again = read_last(growing)
    turn = Store(tmp_path).load(finished.id).turns[0]
    assert turn.all(0)[0] == finished.turns[0].answers[0]
    assert turn.answers[1] == finished.turns[0].answers[1]
    assert turn.answers[0] == again.turns[0].answers[0]
    assert turn.answers[0].version == 1


def test_a_writer_with_an_outdated_answer_is_refused(stale: Stale, tmp_path: Path) -> None:
    _, other, finished, there, parts = stale
    finish(parts)
    with pytest.raises(ConflictError, match="reopen it from the history"):
        read_last(other.retry(there, [0]))
    with pytest.raises(ConflictError, match="reopen it from the history"):
        other.show(there, 0, 0)
    with pytest.raises(ConflictError, match="reopen it from the history"):
        read_last(other.send(there, "Second"))
    assert Store(tmp_path).load(finished.id) == finished


def test_a_process_that_still_writes_does_not_hide_a_later_version(library: Library, tmp_path: Path) -> None:
    one, other = open_session(library, tmp_path), open_session(library, tmp_path)
    first = ask(one, "First")
    again = read_last(other.retry(other.open(first.id), [0]))
    one._recorder.put(first)
    assert one._recorder.settle(first.id, 10)
    assert Store(tmp_path).load(first.id).turns[0] == again.turns[0]
    with pytest.raises(ConflictError):
        one.show(first, 0, 0)


def test_an_unfinished_reply_is_finished_and_not_the_other_way_round(
    library: Library, tmp_path: Path
) -> None:
    talk = open_session(library, tmp_path)
    finished = ask(talk, "First")
    talk.store.save(unfinish(finished))
    assert talk.open(finished.id) == finished
    cut = dataclasses.replace(finished, id="cut")
    talk.store.save(unfinish(cut))
    talk.store.save(set_reply(cut, 0, finish="cancelled"))
    talk.store.save(cut)
    assert talk.open("cut").turns == finished.turns


def test_a_verdict_that_ended_is_not_replaced_by_an_unfinished_one(library: Library, tmp_path: Path) -> None:
    talk = open_session(library, tmp_path)
    conversation = ask(talk, "First")
    verdict = cast_vote(talk, conversation, 0, "A", (0, 1), by="me")
    talk.store.save_verdict(
        conversation.id, 0, dataclasses.replace(verdict, outcome="unfinished", winner=None)
    )
    assert talk.store.verdicts(conversation.id) == {0: (verdict,)}


# --- Damage -------------------------------------------------------------------------------------------


def test_a_lost_turn_costs_that_turn_alone(library: Library, tmp_path: Path) -> None:
    talk = open_session(library, tmp_path)
    whole = ask(talk, "First", "Second", "Third")
    damage(tmp_path, "DELETE FROM turn WHERE number = 1")
    found = talk.open(whole.id)
    assert [turn.user for turn in found.turns] == ["First", LOST_TURN, "Third"]
    assert (found.turns[0], found.turns[2]) == (whole.turns[0], whole.turns[2])
    assert answered_lanes(found, 1) == ()
    assert "turn 2, lane A belongs to a turn that is not in the database" in "\n".join(
        find_damage(tmp_path / FILE)
    )
    assert read_last(talk.send(found, "Fourth")).turns[-1].answers[0].reply.finish == "stop"
    assert [turn.user for turn in talk.open(whole.id).turns][-1] == "Fourth"
    assert "2 rows left out" in repair_record(tmp_path / FILE, tmp_path / "new" / FILE)
    assert find_damage(tmp_path / "new" / FILE) == []
    assert len(Store(tmp_path / "new").load(whole.id).turns) == 4


def test_answers_of_a_lost_last_turn_do_not_become_the_next_ones(library: Library, tmp_path: Path) -> None:
    talk = open_session(library, tmp_path)
    whole = ask(talk, "First", "Second")
    last = read_last(talk.retry(whole, [0]))
    damage(tmp_path, "DELETE FROM turn WHERE number = 1")
    found = talk.open(last.id)
    assert found.turns == whole.turns[:1]
    other = read_last(talk.send(found, "Other"))
    assert talk.open(last.id) == other
    assert len(other.turns[1].all(0)) == 1


def test_a_lost_answer_moves_no_other(library: Library, tmp_path: Path) -> None:
    talk = open_session(library, tmp_path)
    whole = read_last(talk.retry(read_last(talk.retry(ask(talk, "First"), [0])), [0]))
    damage(tmp_path, "DELETE FROM answer WHERE lane = 0 AND version = 1")
    turn = talk.open(whole.id).turns[0]
    assert turn.all(0)[1].reply == Reply(finish="error", error=MISSING)
    assert (turn.all(0)[::2], turn.answers) == (whole.turns[0].all(0)[::2], whole.turns[0].answers)
    assert len(read_last(talk.retry(talk.open(whole.id), [0])).turns[0].all(0)) == 4
    damage(tmp_path, "DELETE FROM answer WHERE lane = 0")
    turn = talk.open(whole.id).turns[0]
    assert turn.answers[0].reply.error == MISSING
    assert turn.answers[1] == whole.turns[0].answers[1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE turn SET number = 4611686018427387904 WHERE number = 1",
        "UPDATE turn SET number = 'x' WHERE number = 1",
        "UPDATE answer SET turn = 'x' WHERE turn = 1 AND lane = 1",
        "UPDATE answer SET lane = 'x' WHERE turn = 1 AND lane = 1",
        "UPDATE answer SET version = 'x' WHERE turn = 1 AND lane = 1",
        f"UPDATE turn SET histories = '{'[' * 3000}' WHERE number = 1",
        "UPDATE answer SET reply = json_set(reply, '$.text', json('\"\\ud800\"')) WHERE turn = 1",
        "UPDATE answer SET reply = json_set(reply, '$.text', 5) WHERE turn = 1 AND lane = 1",
        "UPDATE verdict SET verdict = json_set(verdict, '$.lanes', json('[0.5, 1]'))",
        "UPDATE verdict SET verdict = json_set(verdict, '$.scale', json('[]'))",
    ],
)
def test_each_damage_is_named_and_left_out_of_the_repair(
    library: Library, tmp_path: Path, statement: str
) -> None:
    talk = open_session(library, tmp_path)
    whole = ask(talk, "First", "Second")
    cast_vote(talk, whole, 1, "A", (0, 1), by="me")
    damage(tmp_path, statement)
    found = talk.open(whole.id)
    assert found.turns[0] == whole.turns[0]
    assert build_board([found], "human", "vote") is not None
    assert find_damage(tmp_path / FILE)
    repair_record(tmp_path / FILE, tmp_path / "new" / FILE)
    assert find_damage(tmp_path / "new" / FILE) == []
    assert read_last(talk.send(found, "Third")).turns[-1].answers[0].reply.finish == "stop"


def test_a_damaged_reply_of_a_judge_is_asked_for_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_judge_call("key", JudgeCall(shown=(0,), outcome="scored", score=5))
    damage(tmp_path, "UPDATE game SET game = '{}'")
    assert store.judge_call("key") is None


@pytest.mark.parametrize("data", [b"no database at all", b"\xff" * 9000, b""])
def test_a_repair_that_saves_nothing_says_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(InputError, match="Nothing could be recovered from"):
        repair_record(tmp_path / FILE, tmp_path / "new.sqlite3")
    assert not (tmp_path / "new.sqlite3").exists()


UNUSUAL = [b"\xff\xfe", b"", 5, -1, 2**62, 1.5, "", "null", "[]", "{}", "[[[", '"x"', "[null]", '{"a":1}']
UNUSUAL += ["[" * 3000, "NaN", '{"finish":5}', "9" * 5000, "9999-99-99", "\x00", "0001-01-01T00:00:00+23:59"]
INNER: list[Any] = [None, -1, 10**30, 10**400, 1.5, "x", [], {}, True, [[1]], "\ud800", float("nan")]
COLUMNS = {
    "conversation": ["created", "updated", "variants", "parent", "owner", "id"],
    "turn": ["user", "created", "histories", "number"],
    "answer": ["lane", "version", "shown", "variant", "request", "reply", "turn"],
    "verdict": ["turn", "created", "verdict", "id", "conversation"],
}


def damage_json(random_: random.Random, text: str) -> str:
    """A JSON text with one value in it replaced."""
    data = json.loads(text)
    at = data
    while True:
        key = random_.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if not (isinstance(at[key], dict | list) and at[key] and random_.random() < 0.7):
            at[key] = random_.choice(INNER)
            return json.dumps(data)
        at = at[key]


def damage_row(random_: random.Random, path: Path) -> str:
    """Change one value of one row."""
    table = random_.choice(list(COLUMNS))
    column = random_.choice(COLUMNS[table])
    value = random_.choice(UNUSUAL)
    db = sqlite3.connect(path)
    rowid, old = random_.choice(db.execute(f"SELECT rowid, {column} FROM {table}").fetchall())
    if isinstance(old, str) and old.startswith(("[{", "{")) and random_.random() < 0.6:
        value = damage_json(random_, old)
    try:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))
        db.commit()
    except sqlite3.IntegrityError:
        pass  # two rows of one key
    db.close()
    return f"{table}.{column} = {str(value)[:200]!r}"


def use(library: Library, folder: Path, ids: list[str], whole: bool) -> int:
    """Do with a record all that reads it; how many of the conversations can be loaded."""
    talk = open_session(library, folder)
    talk.history("q")
    talk.store.load_judged(10)
    loaded = 0
    for id in ids:
        try:
            conversation = talk.open(id)
        except InputError:
            continue
        loaded += 1
        talk.verdicts(conversation)
        build_board([conversation], "human", "vote")
        for turn in range(len(conversation.turns)):
            if answered_lanes(conversation, turn):
                talk.estimate(request(talk, conversation, turn, "single", talk.judge_model("any")))
        try:
            read_last(talk.send(conversation, "again"))
        except (InputError, OutsideError):
            assert not whole  # a repaired record takes every message
        talk.open(id)
    talk.close()
    return loaded


def test_any_damage_of_one_row_costs_that_row_alone(library: Library, tmp_path: Path) -> None:
    source = tmp_path / "source"
    talk = open_session(library, source)
    ids: list[str] = []
    for _ in range(2):
        conversation = read_last(talk.retry(ask(talk, "q1", "q2"), [0]))
        cast_vote(talk, conversation, 0, "A", (0, 1), by="me")
        ids.append(conversation.id)
    talk.close()
    random_ = random.Random(77)
    for number in range(150):
        folder = tmp_path / str(number)
        folder.mkdir()
        with sqlite3.connect(source / FILE) as db:
            db.execute("VACUUM INTO ?", (str(folder / FILE),))
        what = damage_row(random_, folder / FILE)
        try:
            find_damage(folder / FILE)
            repair_record(folder / FILE, folder / "new" / FILE)
            assert find_damage(folder / "new" / FILE) == []
            assert use(library, folder, ids, whole=False) >= 1
            assert use(library, folder / "new", ids, whole=True) >= 1
        except Exception as error:
            error.add_note(f"damage {number}: {what}")
            raise
        shutil.rmtree(folder)
