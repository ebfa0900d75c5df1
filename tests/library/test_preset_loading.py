"""Tests for loading presets from a local Hub server: progress, cancellation, resuming and errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground import engine as engines
from playground.config import Settings
from playground.engine.hub.cache import has_token, measure_cached
from playground.library.presets import Cached, Offer
from playground.memory import Room
from playground.model_switch import Progress
from playground.types import InputError
from playground.ui.page.controller import Controller
from tests.helpers.hub_server import TOKEN, HubServer, use_hub
from tests.helpers.paths import POCKET
from tests.helpers.preset_hub import (
    ADAPTER,
    BASE,
    GATED,
    MARK,
    PRESETS,
    WEIGHTS,
    Valve,
    make_models,
    preset_hub,
)
from tests.helpers.switching import House, house
from tests.helpers.waiting import WAIT, until


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder, POCKET)
    return folder


@pytest.fixture
def hub(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with preset_hub(models) as hub:
        use_hub(monkeypatch, hub, tmp_path / "cache")
        yield hub


@pytest.fixture
def here(tmp_path: Path, hub: HubServer) -> Iterator[House]:
    (tmp_path / "presets.toml").write_text(PRESETS)
    with house(tmp_path) as here:
        yield here


def load(here: House, name: str) -> Progress:
    here.change.load_preset(name)
    return here.ended()


def offer(here: House, name: str) -> Offer:
    return next(offer for offer in here.change.list_offers()[0] if offer.preset.name == name)


def test_base_and_adapters_come_with_the_set_up_that_suits_them(here: House) -> None:
    before = here.ask("Hello", "base")
    assert here.change.running_preset() is None
    assert offer(here, "random").cached == Cached(state="absent")
    assert load(here, "random").note == "Random Llama is loaded."
    session = here.session
    assert (here.base, here.change.running_preset()) == (BASE, "random")
    preset = session.library.preset
    assert preset is not None
    assert preset.name == "random"
    assert session.library.default_demo_set().name == "pocket-8"
    assert [(status.card.name, status.error) for status in session.status().adapters] == [
        ("random-sft", None)
    ]
    chat = Controller(session)
    assert [chat.catalog.default_lane(lane) for lane in range(3)] == ["base", "urial", "random-sft"]
    answers = here.ask("Hello", "base", "urial:k=1", "random-sft").turns[0].answers
    assert [answer.reply.error for answer in answers] == [None] * 3
    assert offer(here, "random").cached.state == "complete"
    assert session.open(before.id) == before

    # Once it is here, no network is needed; a base by itself has no preset.
    here.change.load_base("models/pocket")
    assert here.ended().state == "done"
    assert (here.change.running_preset(), session.library.preset) == (None, None)
    assert here.change.settings.adapters == ()


def test_a_cancelled_download_is_continued_by_the_next_click(
    here: House, hub: HubServer, models: Path
) -> None:
    size = (models / "base" / WEIGHTS).stat().st_size
    hub.before_piece = valve = Valve(hub)
    here.change.load_preset("random")
    until(lambda: " MB of " in here.change.progress().note)
    assert here.change.progress().note.startswith(f"Downloading {BASE}: ")
    assert here.change.loading == "random"
    assert valve.reached.wait(WAIT)
    here.change.cancel()
    ended = here.ended()
    assert (ended.state, here.base) == ("cancelled", "models/pocket")
    valve.open()
    partial = offer(here, "random").cached
    assert partial.state == "partial"
    assert 1_000_000 <= partial.size < size

    hub.sent.clear()
    assert load(here, "random").state == "done"
    assert hub.sent[WEIGHTS] < size - MARK / 2
    assert here.ask("Hello", "random-sft").turns[0].answers[0].reply.error is None


def test_a_download_that_breaks_off_is_one_sentence_and_is_continued(
    here: House, hub: HubServer, models: Path
) -> None:
    size = (models / "base" / WEIGHTS).stat().st_size
    hub.before_piece = lambda path: cut(hub, path)
    ended = load(here, "random")
    assert (ended.state, here.base) == ("failed", "models/pocket")
    assert "cannot be reached" in ended.note
    assert "\n" not in ended.note
    hub.before_piece, hub.down = None, False
    hub.sent.clear()
    assert load(here, "random").state == "done"
    assert hub.sent[WEIGHTS] < size - MARK / 2


def cut(hub: HubServer, path: str) -> None:
    """The server is gone from the middle of the weights on."""
    if hub.down or (path == WEIGHTS and hub.sent.get(path, 0) >= MARK):
        hub.down = True
        raise OSError


def test_offline_is_one_sentence(here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(monkeypatch, None, tmp_path / "cache")
    ended = load(here, "random")
    assert (ended.state, here.base) == ("failed", "models/pocket")
    assert BASE in ended.note
    assert "cannot be reached" in ended.note


def test_a_downloaded_preset_loads_offline(
    here: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(here, "random").state == "done"
    here.change.load_base("models/pocket")
    assert here.ended().state == "done"
    use_hub(monkeypatch, None, tmp_path / "cache")
    assert offer(here, "random").cached.state == "complete"
    assert load(here, "random").state == "done"
    assert here.session.status().adapters[0].error is None


def test_a_gated_base_is_one_sentence_until_its_terms_are_accepted(
    here: House, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offer(here, "closed").needs_terms
    ended = load(here, "closed")
    assert (ended.state, here.base) == ("failed", "models/pocket")
    assert f"{GATED} is gated: accept its terms" in ended.note
    assert "HF_TOKEN" in ended.note
    assert not has_token()
    use_hub(monkeypatch, hub, tmp_path / "cache", token=TOKEN)
    assert has_token()
    assert load(here, "closed").state == "done"
    assert not offer(here, "closed").needs_terms


def test_an_adapter_that_is_gone_leaves_the_base_and_says_so(here: House, hub: HubServer) -> None:
    del hub.repositories[ADAPTER]
    assert load(here, "random").state == "done"
    (status,) = here.session.status().adapters
    assert status.error is not None
    assert "does not exist on the Hugging Face Hub" in status.error
    chat = Controller(here.session)
    assert [chat.catalog.default_lane(lane) for lane in range(4)] == ["base", "urial", "urial:k=0", "base"]
    assert here.ask("Hello", "base").turns[0].answers[0].reply.error is None


def test_what_no_machine_holds_is_refused_with_the_way_to_try(here: House) -> None:
    with pytest.raises(InputError, match=r"Huge is too large .* needs 6,750 TB\. .* under Another base"):
        here.change.load_preset("huge")
    with pytest.raises(InputError, match="There is no preset 'nothing'"):
        here.change.load_preset("nothing")
    wrong: list[Any] = [None, 3, ["random"]]
    for name in wrong:
        with pytest.raises(InputError, match="There is no preset"):
            here.change.load_preset(name)
    assert here.change.progress().state == "idle"


def test_a_preset_that_runs_already_is_only_set_up(here: House, hub: HubServer) -> None:
    engine = here.session.engine
    assert load(here, "pocket").note == "Pocket is already loaded."
    assert here.session.engine is engine
    assert here.session.library.preset is not None
    assert here.session.library.preset.name == here.change.running_preset() == "pocket"
    assert hub.requests == []
    here.change.load_base("models/pocket")
    assert here.ended().state == "done"
    assert here.session.engine is not engine


def test_the_running_models_memory_counts_as_free(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[int] = []

    def measure(settings: Settings, running: int) -> Room:
        rooms.append(running)
        return Room(size=running)

    monkeypatch.setattr(engines, "measure_room", measure)
    here.change.list_offers()
    parameters = here.session.status().parameters
    assert parameters is not None
    assert rooms == [4 * parameters]


# --- The cache ---------------------------------------------------------------------------------------


def test_folders_are_here_and_unknown_repositories_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hub(monkeypatch, None, tmp_path)
    assert measure_cached("models/pocket") == Cached(state="complete")
    assert measure_cached(str(tmp_path)) == Cached(state="complete")
    assert measure_cached("owner/absent") == Cached(state="absent")


def make_cache(folder: Path, files: dict[str, bytes], revision: str = "main") -> None:
    repository = folder / "models--some--thing"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / revision).write_text(f"commit-of-{revision}")
    snapshot = repository / "snapshots" / f"commit-of-{revision}"
    (repository / "blobs").mkdir(exist_ok=True)
    for name, data in files.items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        blob = repository / "blobs" / f"{revision}-{name}"
        blob.write_bytes(data)
        (snapshot / name).symlink_to(blob)


INDEX = "model.safetensors.index.json"
SHARDS = b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
LARGE = bytes(2_000_000)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"config.json": b"{}", "model.safetensors": LARGE}, "complete"),
        ({"config.json": b"{}"}, "absent"),
        ({"model.safetensors": LARGE}, "partial"),
        ({"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"}, "complete"),
        ({"adapter_config.json": b"{}", "model.safetensors": LARGE}, "partial"),
        ({"config.json": b"{}", INDEX: SHARDS, "model-1.safetensors": LARGE}, "partial"),
        (
            {
                "config.json": b"{}",
                INDEX: SHARDS,
                "model-1.safetensors": LARGE,
                "model-2.safetensors": LARGE,
            },
            "complete",
        ),
        ({"config.json": b"{}", INDEX: b"{", "model-1.safetensors": LARGE}, "partial"),
        ({"config.json": b"{}", INDEX: b"[]", "model-1.safetensors": LARGE}, "partial"),
        ({"config.json": b"{}", INDEX: b'{"weight_map": 3}'}, "absent"),
    ],
)  # fmt: skip
def test_what_is_in_the_cache(
    files: dict[str, bytes], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hub(monkeypatch, None, tmp_path)
    make_cache(tmp_path, files)
    assert measure_cached("some/thing").state == state


def test_a_revision_is_another_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_hub(monkeypatch, None, tmp_path)
    make_cache(tmp_path, {"config.json": b"{}", "model.safetensors": LARGE}, "v1")
    assert measure_cached("some/thing@v1").state == "complete"
    assert measure_cached("some/thing@commit-of-v1").state == "complete"
    assert measure_cached("some/thing").state == "partial"
