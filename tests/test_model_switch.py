"""Tests for switching the base model or adding an adapter during conversations."""

from __future__ import annotations

import gc
import json
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.config import Settings
from playground.engine import Engine, open_engine
from playground.engine.hub import Report
from playground.engine.local import LocalEngine
from playground.engine.mixed import MixedEngine
from playground.engine.model import Model
from playground.types import Conversation, InputError, Sampling
from tests.helpers.slow_hub import slow_hub
from tests.helpers.switching import House, house
from tests.helpers.tiny import Tiny
from tests.helpers.waiting import WAIT, until

POCKET = Path("models/pocket")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as here:
        yield here


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[House]:
    """Where two models do not fit in memory at once."""
    with house(tmp_path, fits_beside=lambda settings, report: False) as here:
        yield here


def weights(conversation: Conversation) -> list[str]:
    return [answer.reply.weights or "" for answer in conversation.turns[-1].answers]


def own(engine: Engine) -> LocalEngine:
    """The local engine of a session."""
    assert isinstance(engine, MixedEngine)
    assert isinstance(engine.own, LocalEngine)
    return engine.own


def loaded_model(engine: Engine) -> Model:
    scheduler = own(engine)._scheduler
    assert scheduler is not None
    return scheduler.model


# --- Another base, another adapter -----------------------------------------------------------------


@pytest.mark.parametrize("room", ["here", "tight"])
def test_another_base_and_back_and_conversations_stay(
    room: str, tiny: Tiny, request: pytest.FixtureRequest
) -> None:
    here = request.getfixturevalue(room)
    before = here.ask("What is the capital of France?", "base", "pocket-ift")
    model = weakref.ref(loaded_model(here.session.engine))
    assert isinstance(model(), Model)

    here.change.load_base(str(tiny.base))
    assert here.change.progress().busy
    assert here.ended().state == "done", here.change.progress()
    assert here.base == here.session.library.base == str(tiny.base)
    assert "tiny" in weights(here.ask("Hello"))[0]
    until(lambda: gc.collect() is not None and model() is None)  # its memory is free again

    # The conversation continues; the lane whose adapter is gone says so, and the other answers.
    after = here.ask("And of Japan?", conversation=here.session.open(before.id))
    base, gone = (answer.reply for answer in after.turns[-1].answers)
    assert "tiny" in base.weights
    assert (gone.finish, gone.error) == ("error", "Adapter 'pocket-ift' is not loaded: choose another lane.")
    assert after.turns[0] == before.turns[0]

    here.change.load_base("models/pocket")
    assert here.ended().state == "done"
    again = here.ask("And of Spain?", conversation=here.session.open(before.id))
    assert [answer.reply.error for answer in again.turns[-1].answers] == [None, None]
    assert weights(again) == weights(before)


def test_an_adapter_is_put_on_the_running_base_and_is_there_again_after_another_base(
    here: House, tiny: Tiny
) -> None:
    here.change.load_base(str(tiny.base))
    assert here.ended().state == "done"
    here.change.load_adapter(str(tiny.adapters["wide"]), "broad")
    assert here.ended().state == "done", here.change.progress()
    here.change.load_adapter(str(tiny.adapters["thin"]))
    assert here.ended().state == "done", here.change.progress()
    assert [status.card.name for status in here.session.status().adapters] == ["broad", "thin"]
    assert all(status.kl and status.kl > 0 for status in here.session.status().adapters)
    assert weights(here.ask("Hello", "broad", "base"))[0].endswith("+ broad")

    with pytest.raises(InputError, match="already"):
        here.change.load_adapter(str(tiny.adapters["wide"]), "thin")
    here.change.load_base("models/pocket")
    assert here.ended().state == "done"
    assert "broad" not in here.session.library.adapters
    here.change.load_base(str(tiny.base))
    assert here.ended().state == "done"
    assert set(here.session.library.adapters) == {"broad", "thin"}


def test_answers_under_way_end_on_the_model_they_began_on(here: House, tiny: Tiny) -> None:
    conversation = here.session.new(
        [here.session.variant("base", Sampling(max_new_tokens=900, seed=1, temperature=1000))]
    )
    stream = here.session.send(conversation, "Hello")
    next(stream)
    engine = own(here.session.engine)
    results: list[Conversation] = []
    reader = threading.Thread(target=lambda: results.extend(stream))
    reader.start()
    here.change.load_base(str(tiny.base))
    assert here.ended().state == "done"
    assert here.base == str(tiny.base)
    reader.join(WAIT)
    reply = results[-1].turns[0].answers[0].reply
    assert reply.finish in ("stop", "length")
    assert reply.new_tokens > 100
    assert "pocket" in weights(results[-1])[0]
    until(lambda: not engine._thread.is_alive())


def test_where_memory_is_tight_answers_under_way_are_waited_for_and_new_messages_wait(
    tight: House, tiny: Tiny
) -> None:
    long = tight.session.new([tight.session.variant("base", Sampling(max_new_tokens=600, temperature=1000))])
    stream = tight.session.send(long, "Hello")
    next(stream)
    written: list[Conversation] = []
    waited: list[Conversation] = []
    reader = threading.Thread(target=lambda: written.extend(stream))
    reader.start()
    until(lambda: tight.session.uses(tight.session.engine))
    tight.change.load_base(str(tiny.base))
    until(lambda: tight.session.status().state == "loading")
    assert tight.session.status().base == str(tiny.base)
    later = threading.Thread(target=lambda: waited.append(tight.ask("Hello")))
    later.start()
    reader.join(WAIT)
    later.join(WAIT)
    assert tight.ended().state == "done"
    assert written[-1].turns[0].answers[0].reply.new_tokens == 600
    assert "pocket" in weights(written[-1])[0]
    assert "tiny" in weights(waited[0])[0]


# --- What cannot be loaded -------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["here", "tight"])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("./nowhere", "There is no model folder ./nowhere"),
        ("owner/absent-of-this-name", "is not on this machine, and the Hugging Face Hub cannot be reached"),
        ("not a name", "neither a local folder nor a Hugging Face Hub ID"),
        ("prompts", "has no config.json"),
        ("broken", "cannot be loaded as a language model"),
        ("empty", "could not be loaded"),
    ],
)
def test_what_is_no_model_is_a_sentence_and_the_running_one_stays(
    room: str, what: str, said: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    here = request.getfixturevalue(room)
    if what in ("broken", "empty"):
        config = {
            "broken": {"model_type": "no-such"},
            "empty": json.loads((POCKET / "config.json").read_text()),
        }
        folder = tmp_path / what
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config[what]))
        if what == "empty":
            for name in ("tokenizer.json", "tokenizer_config.json"):
                (folder / name).write_bytes((POCKET / name).read_bytes())
        what = str(folder)
    here.change.load_base(what)
    ended = here.ended()
    assert ended.state == "failed"
    assert said in ended.note
    assert here.base == "models/pocket"
    assert here.session.status().state == "ready"
    assert "pocket" in weights(here.ask("Hello", "pocket-ift"))[0]


@pytest.mark.parametrize("source", ["", "  ", None, 7, "a\0b", "x" * 501, "a\nb"])
def test_what_cannot_be_a_source_is_reported_at_once(here: House, source: int | str | None) -> None:
    for begin in (here.change.load_base, here.change.load_adapter):
        with pytest.raises(InputError):
            begin(source)
    assert here.change.progress().state == "idle"


def test_no_adapter_or_a_name_that_is_taken_is_reported_at_once(
    here: House, tiny: Tiny, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is not an adapter"):
        here.change.load_adapter(str(tmp_path), "mine")
    with pytest.raises(InputError, match="There is no adapter folder"):
        here.change.load_adapter("./nowhere/adapter", "mine")
    with pytest.raises(InputError, match="reserved for a lane"):
        here.change.load_adapter(str(tiny.adapters["wide"]), "urial")
    with pytest.raises(InputError, match="precision"):
        here.change.load_base(str(tiny.base), "8bit")
    assert here.change.progress().state == "idle"


def test_an_adapter_for_another_base_is_refused_by_its_shapes(here: House, tiny: Tiny) -> None:
    engine = here.session.engine
    here.change.load_adapter(str(tiny.adapters["wide"]))
    ended = here.ended()
    assert (ended.state, here.session.engine) == ("failed", engine)
    assert "Adapter 'wide' does not fit the base" in ended.note


def test_an_adapter_that_is_not_on_the_hub_leaves_everything_as_it_was(here: House) -> None:
    engine = here.session.engine
    here.change.load_adapter("owner/absent-of-this-name", "mine")
    ended = here.ended()
    assert (ended.state, here.session.engine) == ("failed", engine)
    assert "cannot be reached" in ended.note
    assert "mine" not in here.session.library.pending


@pytest.mark.parametrize("room", ["here", "tight"])
def test_a_model_without_memory_is_a_sentence(
    room: str, tiny: Tiny, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    here = request.getfixturevalue(room)

    def full(*args: Any, **options: Any) -> Any:
        if "tiny" in str(args[0]):
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
            )
        return real(*args, **options)

    real = AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", full)
    here.change.load_base(str(tiny.base))
    ended = here.ended()
    assert ended.state == "failed"
    assert "does not fit in memory" in ended.note
    assert (here.base, here.session.status().state) == ("models/pocket", "ready")


def test_if_the_old_model_cannot_come_back_either_both_reasons_are_told(tight: House, tiny: Tiny) -> None:
    from playground.engine.scripted import ScriptedEngine
    from playground.types import Status

    class Broken(ScriptedEngine):
        def __init__(self, settings: Settings) -> None:
            super().__init__(lambda request: [])
            self.settings = settings

        def status(self) -> Status:
            return Status(state="failed", note=f"{self.settings.base} is broken.", base=self.settings.base)

    tight.change._open_engine = lambda settings, library: Broken(settings)
    tight.change.load_base(str(tiny.base))
    ended = tight.ended()
    assert ended.state == "failed"
    assert f"{tiny.base} is broken. models/pocket could not be reloaded either" in ended.note
    assert tight.session.status().state == "failed"
    tight.change._open_engine = open_engine
    tight.change.load_base("models/pocket")  # and from there a model can be loaded again
    assert tight.ended().state == "done"


# --- Cancel -----------------------------------------------------------------------------------------


class Slow:
    """Something in a load that takes as long as it is let."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.go_on.wait(WAIT)


@pytest.mark.parametrize("room", ["here", "tight"])
def test_a_load_that_is_cancelled_ends_in_the_midst_of_its_weights(
    room: str, tiny: Tiny, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.engine.loading.progress import ReportingBar

    here = request.getfixturevalue(room)
    slow, seen = Slow(), []
    watch = ReportingBar.__iter__

    def slowly(self: Any) -> Iterator[Any]:
        for item in watch(self):
            slow()
            seen.append(item)
            yield item

    monkeypatch.setattr(ReportingBar, "__iter__", slowly)
    here.change.load_base(str(tiny.base))
    assert slow.reached.wait(WAIT)
    here.change.cancel()
    assert here.change.progress().state == "stopping"
    monkeypatch.setattr(ReportingBar, "__iter__", watch)
    time.sleep(0.5)  # an answer to the cancel may take a moment
    slow.go_on.set()
    assert here.ended().state == "cancelled"
    assert len(seen) == 1
    assert (here.base, here.session.status().state) == ("models/pocket", "ready")
    assert "pocket" in weights(here.ask("Hello", "pocket-ift"))[0]
    here.change.load_base(str(tiny.base))
    assert here.ended().state == "done"


def test_waiting_for_answers_can_be_cancelled(tight: House, tiny: Tiny) -> None:
    engine = tight.session.engine
    long = tight.session.new([tight.session.variant("base", Sampling(max_new_tokens=3000, temperature=1000))])
    stream = tight.session.send(long, "Hello")
    next(stream)
    next(stream)
    tight.change.load_base(str(tiny.base))
    until(lambda: "Waiting for the answers" in tight.change.progress().note)
    tight.change.cancel()
    assert tight.ended().state == "cancelled"
    assert tight.session.engine is engine
    assert next(stream) is not None
    stream.close()


def test_only_one_change_at_a_time(here: House, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()

    def fits_beside(settings: Settings, report: Report) -> bool:
        slow()
        report("Looking", 0.1)
        return True

    here.change._fits_beside = fits_beside
    here.change.load_base(str(tiny.base))
    assert slow.reached.wait(WAIT)
    with pytest.raises(InputError, match="Another model is being loaded"):
        here.change.load_base("models/pocket")
    here.change.cancel()
    here.change.cancel()
    slow.go_on.set()
    assert here.ended().state == "cancelled"
    here.change.cancel()  # there is none to cancel
    assert here.change.progress().state == "cancelled"


# --- A download -------------------------------------------------------------------------------------


def test_a_download_tells_how_far_it_is_and_is_cancelled_in_its_midst(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with slow_hub(400_000_000) as hub:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            hub.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        here.change.load_base("some/model")
        until(lambda: " MB of 400 MB" in here.change.progress().note)
        assert here.change.progress().note.startswith("Downloading some/model: ")
        here.change.cancel()
        assert here.ended().state == "cancelled"
        sent = hub.sent
        assert sent < hub.size / 2
        time.sleep(0.5)
        assert hub.sent <= sent + 2_000_000, "the download continues in the background"
        assert (here.base, here.session.status().state) == ("models/pocket", "ready")
