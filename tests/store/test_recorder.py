"""Tests that conversations survive concurrent writers, database locks, full disks and deleted folders."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Never

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import FILE, ConflictError, Store
from playground.store.recorder import Recorder
from playground.store.repair import find_damage, repair_record
from playground.types import Conversation, InputError, OutsideError
from tests.helpers.waiting import until

LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The record's lock in the hands of another process."""
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(folder / FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        holder.communicate()


@pytest.fixture
def library() -> Library:
    return Library.open("models/pocket")


def opened(library: Library, folder: Path, text: str = "All right.", delay: float = 0.0) -> Session:
    """A session whose engine says `text`, a word a step."""
    tokens = [*(f"{word} " for word in text.split()), "\n```\n\n# Query:\n"]
    return Session(ScriptedEngine(lambda request: tokens, delay), library, Store(folder))


def start_conversation(talk: Session, *specs: str) -> Conversation:
    return talk.new([talk.variant(spec) for spec in specs or ("base", "urial")])


def last(snapshots: Iterable[Conversation]) -> Conversation:
    return list(snapshots)[-1]


def unsaved(talk: Session, conversation: Conversation) -> str:
    """Why a conversation is not on record yet."""
    problem = talk.unsaved_reason(conversation.id)
    assert problem is not None
    return problem


def users(folder: Path, id: str) -> list[str]:
    return [turn.user for turn in Store(folder).load(id).turns]


def test_of_two_processes_that_go_on_from_the_same_turn_one_is_told(library: Library, tmp_path: Path) -> None:
    one, other = opened(library, tmp_path), opened(library, tmp_path)
    here = last(one.send(start_conversation(one), "First"))
    there = other.open(here.id)
    assert users(tmp_path, last(one.send(here, "Mine")).id) == ["First", "Mine"]
    with pytest.raises(ConflictError, match="was continued in another window or program"):
        next(other.send(there, "Theirs"))
    assert users(tmp_path, here.id) == ["First", "Mine"]
    again = last(other.send(other.open(here.id), "Theirs"))
    assert users(tmp_path, again.id) == ["First", "Mine", "Theirs"]


def test_of_many_that_send_at_once_each_is_kept_or_told(library: Library, tmp_path: Path) -> None:
    talks = [opened(library, tmp_path) for _ in range(6)]
    here = last(talks[0].send(start_conversation(talks[0]), "First"))
    start = threading.Barrier(len(talks))
    kept: list[str] = []
    told: list[str] = []

    def send(number: int) -> None:
        start.wait()
        try:
            last(talks[number].send(here, f"From {number}"))
            kept.append(f"From {number}")
        except ConflictError as error:
            told.append(str(error))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(talks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 1
    assert len(told) == 5
    assert users(tmp_path, here.id) == ["First", *kept]


def test_versions_of_an_answer_are_never_written_over(library: Library, tmp_path: Path) -> None:
    one, other = opened(library, tmp_path), opened(library, tmp_path, "Another answer.")
    here = last(one.send(start_conversation(one), "First"))
    there = other.open(here.id)
    again = last(one.retry(here, [0]))
    with pytest.raises(ConflictError):
        next(other.retry(there, [0]))
    with pytest.raises(ConflictError):  # which would go on from an answer that is not shown any more
        next(other.send(there, "Second"))
    last(one.send(again, "Second"))
    with pytest.raises(ConflictError):
        next(other.retry(there, [0]))
    with pytest.raises(ConflictError):
        other.show(again, 0, 0)
    assert Store(tmp_path).load(here.id).turns[0] == again.turns[0]


def test_a_locked_record_is_reported_and_written_once_it_is_free(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path, "word " * 60, 0.02)
    here = last(talk.send(start_conversation(talk), "First"))
    with locked(tmp_path):
        started = time.monotonic()
        sending = talk.send(here, "Second")
        next(sending)
        assert time.monotonic() - started < 10  # the time limit of a lock is no part of the answer
        assert "locked by another program: this conversation is kept in memory" in unsaved(talk, here)
        now = last(sending)
        assert {answer.reply.finish for answer in now.turns[-1].answers} == {"stop"}
        assert talk.open(here.id) == now
        now = last(talk.send(now, "Third"))
        assert users(tmp_path, here.id) == ["First"]
    until(lambda: talk.unsaved_reason(here.id) is None)
    assert Store(tmp_path).load(here.id) == now
    assert users(tmp_path, here.id) == ["First", "Second", "Third"]
    talk.close()


def test_a_conflict_after_a_lock_is_a_branch_and_is_reported(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    here = last(talk.send(start_conversation(talk), "First"))
    store = Store(tmp_path)
    mine = last(talk.send(here, "Mine"))
    recorder = Recorder(store)
    with locked(tmp_path):
        recorder.begin(mine, [0, 1])  # as another process that read it after the first turn
        recorder.put(mine)
    until(lambda: "were saved as conversation" in (recorder.problem(here.id) or ""))
    problem = recorder.problem(here.id)
    assert problem is not None
    branch = problem.split()[-1].rstrip(".")
    kept = store.load(branch)
    assert kept.parent == here.id
    assert kept.turns == mine.turns
    recorder.close()


def test_a_record_that_fails_in_the_middle_of_an_answer_costs_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = opened(library, tmp_path, "word " * 150, 0.02)
    here = start_conversation(talk)
    save = talk.store.save

    def full(*arguments: object) -> Never:
        raise OutsideError("The record cannot be used: database or disk is full.")

    sending = talk.send(here, "First")
    next(sending)
    monkeypatch.setattr(talk.store, "save", full)
    now = last(sending)
    assert {answer.reply.finish for answer in now.turns[-1].answers} == {"stop"}
    assert "disk is full. This conversation is kept in memory" in unsaved(talk, here)
    monkeypatch.setattr(talk.store, "save", save)
    until(lambda: talk.unsaved_reason(here.id) is None)
    assert Store(tmp_path).load(here.id) == now


def test_a_data_folder_that_was_deleted_is_made_again(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    talk = opened(library, folder)
    here = last(talk.send(start_conversation(talk), "First"))
    shutil.rmtree(folder)
    now = last(talk.send(here, "Second"))
    assert users(folder, here.id) == ["First", "Second"]
    assert talk.open(here.id) == now
    assert [summary.title for summary in talk.history()] == ["First"]


def test_what_is_left_is_written_at_the_end(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    here = last(talk.send(start_conversation(talk), "First"))
    with locked(tmp_path):
        now = last(talk.send(here, "Second"))
        closing = threading.Thread(target=talk.close)
        closing.start()
        closing.join(0.5)
        assert closing.is_alive()
    closing.join(60)
    assert Store(tmp_path).load(here.id) == now


def test_a_demonstration_set_of_another_process_is_never_written_over(tmp_path: Path) -> None:
    one, other = (Library.open("models/pocket", data_dir=tmp_path) for _ in range(2))
    mine = dataclasses.replace(one.default_demo_set(), name="mine")
    one.save(mine)
    with pytest.raises(InputError, match="already exists"):
        other.save(dataclasses.replace(mine, instruction="Another one."))
    reread = Library.open("models/pocket", data_dir=tmp_path)
    one.save(dataclasses.replace(mine, instruction="A changed one."))
    with pytest.raises(InputError, match="was changed by another window or program after it was last read"):
        reread.save(dataclasses.replace(mine, instruction="Another one."))
    kept = Library.open("models/pocket", data_dir=tmp_path).demo_set("mine")
    assert kept.instruction == "A changed one."
    assert [path.name for path in (tmp_path / "demos").iterdir()] == ["mine.toml"]


# --- Damage that SQLite does not see ------------------------------------------------------------------


def test_a_damaged_row_costs_that_row_alone(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    ends = [
        last(talk.send(last(talk.send(start_conversation(talk), f"{n} one")), f"{n} two")) for n in range(4)
    ]
    ids = [(end.id,) for end in ends]
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("UPDATE conversation SET updated = 'yesterday' WHERE id = ?", ids[0])
    db.execute(
        "UPDATE turn SET user = CAST(x'c328' AS TEXT) WHERE conversation = ? AND number = 0", (ends[1].id,)
    )
    db.execute(
        "UPDATE answer SET reply = '{\"finish\": ' WHERE conversation = ? AND turn = 0 AND lane = 1",
        (ends[2].id,),
    )
    db.execute("UPDATE conversation SET variants = '[' WHERE id = ?", ids[3])
    db.commit()
    assert {summary.id for summary in talk.history()} == {end.id for end in ends}
    assert talk.open(ends[0].id).turns == ends[0].turns
    assert talk.open(ends[1].id).turns[1] == ends[1].turns[1]
    damaged = talk.open(ends[2].id)
    assert damaged.turns[0].answers[0] == ends[2].turns[0].answers[0]
    error = damaged.turns[0].answers[1].reply.error
    assert error is not None
    assert "damaged in the database" in error
    assert damaged.turns[1] == ends[2].turns[1]
    with pytest.raises(ValueError, match="is damaged"):
        talk.open(ends[3].id)
    damage = "\n".join(find_damage(tmp_path / FILE))
    for end in ends[:3]:
        last(talk.send(talk.open(end.id), "three"))
    assert len(talk.open(ends[2].id).turns) == 3
    for words in (
        "invalid time in 'updated'",
        "contains invalid UTF-8",
        "lane B cannot be read",
        "--repair tandem-repaired.sqlite3",
    ):
        assert words in damage
    said = repair_record(tmp_path / FILE, tmp_path / "new" / FILE)
    assert "3 conversations" in said
    repaired = Store(tmp_path / "new")
    assert find_damage(repaired.path) == []
    assert len(repaired.summaries()) == 3
    assert repaired.load(ends[0].id).turns == talk.open(ends[0].id).turns
    assert len(repaired.load(ends[2].id).turns[0].answers) == 1
    with pytest.raises(InputError, match="already exists: choose another name"):
        repair_record(tmp_path / FILE, tmp_path / "new" / FILE)


def test_the_history_is_the_owners_and_the_command_lines(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    for owner in ("", "one", "two", "unknown"):
        last(talk.send(dataclasses.replace(start_conversation(talk), owner=owner), f"Of {owner or 'all'}"))

    def titles(owner: str | None) -> set[str]:
        return {summary.title for summary in talk.history(owner=owner)}

    assert titles(None) == {"Of all", "Of one", "Of two", "Of unknown"}
    assert titles("one") == {"Of all", "Of one"}
    assert titles("") == {"Of all"}


def test_a_whole_record_has_no_damage(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    last(talk.send(start_conversation(talk), "First"))
    assert find_damage(tmp_path / FILE) == []
    assert find_damage(tmp_path / "nowhere") == []


def test_what_a_torn_file_still_holds_is_copied(library: Library, tmp_path: Path) -> None:
    talk = opened(library, tmp_path)
    ends = [last(talk.send(start_conversation(talk), f"{number} {'x' * 3000}")) for number in range(12)]
    talk.close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray((tmp_path / FILE).read_bytes())
    half = len(data) // 2 // 4096 * 4096
    data[half : half + 8192] = bytes(range(256)) * 32
    (tmp_path / FILE).write_bytes(data)
    assert find_damage(tmp_path / FILE)
    repair_record(tmp_path / FILE, tmp_path / "new" / FILE)
    whole = {end.id: end.turns for end in ends}
    kept = [Store(tmp_path / "new").load(each.id) for each in Store(tmp_path / "new").summaries()]
    assert sum(whole[each.id] == each.turns for each in kept) >= 6
