"""Tests for downloads from a local server with the Hub's API: file selection, resuming and errors."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engine import hub
from playground.engine.hub import transfer
from playground.library import Library
from playground.types import InputError
from tests.helpers.hub_server import TOKEN, HubServer, hub_server, use_hub

POCKET = Path("models/pocket").resolve()
SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server() as server:
        use_hub(monkeypatch, server, tmp_path / "cache")
        yield server


def repository(folder: Path, **files: bytes | None) -> Path:
    """A folder with the files of a tiny model, and others: name to content, None to leave one out."""
    folder.mkdir(parents=True)
    for name in SMALL:
        (folder / name).write_bytes((POCKET / name).read_bytes())
    contents: dict[str, bytes | None] = {"model.safetensors": b"weights" * 10_000, **files}
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True, parents=True)
        if content is not None:
            path.write_bytes(content)
    return folder


def sharded(names: list[str]) -> bytes:
    return json.dumps(
        {"metadata": {}, "weight_map": {f"w{n}": name for n, name in enumerate(names)}}
    ).encode()


# --- What is downloaded -----------------------------------------------------------------------------


def test_no_second_format_and_no_training_state_is_downloaded(server: HubServer, tmp_path: Path) -> None:
    others = dict.fromkeys(
        (
            "pytorch_model.bin", "model.onnx", "flax_model.msgpack", "tf_model.h5", "training_args.bin",
            "optimizer.pt", "consolidated.safetensors", "checkpoint-9__model.safetensors",
            "original__consolidated.00.pth", "modeling_x.py", "model.Q4_K_M.gguf",
        ),
        b"other",
    )  # fmt: skip
    server.add(
        "o/m", repository(tmp_path / "m", **others, **{"chat_template.jinja": b"x", "merges.txt": b"#"})
    )
    folder = hub.find_folder("o/m")
    assert server.downloaded() == sorted([*SMALL, "chat_template.jinja", "merges.txt", "model.safetensors"])
    assert (folder / "model.safetensors").read_bytes() == b"weights" * 10_000
    server.sent.clear()
    assert hub.find_folder("o/m") == folder
    assert server.downloaded() == []
    hub.find_folder("o/m", remote_code=True)
    assert server.downloaded() == ["modeling_x.py"]


def test_the_shards_that_the_index_names_are_downloaded(server: HubServer, tmp_path: Path) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    files = {name: name.encode() for name in names}
    index = {"model.safetensors.index.json": sharded(names), "old.safetensors": b"old"}
    server.add("o/m", repository(tmp_path / "m", **{"model.safetensors": None}, **files, **index))
    folder = hub.find_folder("o/m")
    assert [(folder / name).read_text() for name in names] == names
    assert "old.safetensors" not in server.downloaded()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pytorch_model.bin": b"x"}, "has its weights only in pytorch_model.bin, a Python"),
        ({"pytorch_model.bin.index.json": sharded(["a.bin"]), "a.bin": b"x"}, "only in a.bin, a Python"),
        ({"model.safetensors.index.json": sharded(["a.safetensors"])}, "o/m lacks a.safetensors, listed in"),
        ({"model.safetensors.index.json": sharded(["../a"])}, "lists '../a', which is not a file in"),
        ({"model.safetensors.index.json": b'{"weight_map": []}'}, "is damaged: its weight_map of file names"),
        ({"a.Q4_0.gguf": b"x"}, "o/m contains GGUF files: specify one of them, for example o/m:a.Q4_0.gguf"),
        ({"tf_model.h5": b"x"}, "it has neither model.safetensors nor its shards (only tf_model.h5"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_refused_before_they_are_downloaded(
    server: HubServer, tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    server.add("o/m", repository(tmp_path / "m", **{"model.safetensors": None}, **files))
    with pytest.raises(InputError) as caught:
        hub.find_folder("o/m")
    assert said in str(caught.value)
    assert not any(name.endswith((".bin", ".gguf", ".h5")) for name in server.downloaded())


def test_pickled_weights_are_downloaded_if_they_are_allowed(server: HubServer, tmp_path: Path) -> None:
    server.add("o/m", repository(tmp_path / "m", **{"model.safetensors": None, "pytorch_model.bin": b"x"}))
    assert (hub.find_folder("o/m", allow_pickle=True) / "pytorch_model.bin").is_file()


def test_of_an_adapter_its_weights_and_tokenizer_are_downloaded(server: HubServer, tmp_path: Path) -> None:
    files = {"config.json": None, "model.safetensors": None, "adapter_config.json": b"{}"}
    weights = {"adapter_model.safetensors": b"x", "adapter_model.bin": b"y", "optimizer.pt": b"z"}
    folder = repository(tmp_path / "m", **files, **weights)
    (folder / "config.json").unlink()
    server.add("o/a", folder)
    hub.find_folder("o/a")
    assert "adapter_model.safetensors" in server.downloaded()
    assert not {"adapter_model.bin", "optimizer.pt"} & set(server.downloaded())


def test_of_a_gguf_file_nothing_else_is_downloaded(server: HubServer, tmp_path: Path) -> None:
    server.add("o/m", repository(tmp_path / "m", **{"a.Q4_0.gguf": b"four", "a.Q8_0.gguf": b"eight"}))
    assert (hub.find_folder("o/m:a.Q8_0.gguf") / "a.Q8_0.gguf").read_bytes() == b"eight"
    assert server.downloaded() == ["a.Q8_0.gguf"]
    with pytest.raises(
        InputError, match=r"no file b\.gguf in o/m on the .* Hub: it has a\.Q4_0\.gguf, a\.Q8_0"
    ):
        hub.find_folder("o/m:b.gguf")


def test_a_revision_is_a_branch_a_tag_a_commit_or_a_pull_request(server: HubServer, tmp_path: Path) -> None:
    old = repository(tmp_path / "old", **{"model.safetensors": b"old"})
    new = repository(tmp_path / "new", **{"model.safetensors": b"new"})
    commit = server.add("o/m", new, revisions={"v1": old, "refs/pr/3": old}).commit("v1")
    for name, want in (
        ("o/m", b"new"),
        ("o/m@v1", b"old"),
        ("o/m@refs/pr/3", b"old"),
        (f"o/m@{commit}", b"old"),
    ):
        assert (hub.find_folder(name) / "model.safetensors").read_bytes() == want
    with pytest.raises(InputError, match="Repository o/m on the Hugging Face Hub has no revision 'v9'"):
        hub.find_folder("o/m@v9")


def test_a_gguf_file_of_a_revision(server: HubServer, tmp_path: Path) -> None:
    old = repository(tmp_path / "old", **{"a.gguf": b"old"})
    server.add("o/m", repository(tmp_path / "new"), revisions={"v1": old})
    for name in ("o/m@v1:a.gguf", "o/m:a.gguf@v1"):
        assert (hub.find_folder(name) / "a.gguf").read_bytes() == b"old"


# --- Progress, resumption, cancelling ---------------------------------------------------------------


class Stop(BaseException):
    pass


@pytest.fixture
def large(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A repository whose weights count as a large file."""
    monkeypatch.setattr(transfer, "LARGE", 100_000)
    monkeypatch.setattr(transfer, "CHUNK", 64_000)
    content = bytes(range(256)) * 4000
    server.add("o/m", repository(tmp_path / "m", **{"model.safetensors": content}))
    return content


def test_a_cancelled_download_ends_at_once_and_continues_where_it_was(
    server: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PATIENCE", 0.1)
    reached, free = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == "model.safetensors" and server.sent[name] >= 640_000:
            reached.set()
            assert free.wait(60)

    seen: list[tuple[str, float]] = []

    def report(note: str, share: float) -> None:
        seen.append((note, share))
        if reached.is_set():
            raise Stop

    server.before_piece = hold
    with pytest.raises(Stop):
        hub.find_folder("o/m", report=report)
    assert all(note.startswith("Downloading o/m") and 0.05 <= share <= 0.15 for note, share in seen)
    free.set()
    server.before_piece = None
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("tandem-download")]
    for worker in workers:
        worker.join(60)
    (partial,) = Path(transfer_cache()).rglob("*.incomplete")
    here = partial.stat().st_size
    assert 0 < here < len(large), "the download continues after it was cancelled"
    server.sent.clear()
    server.requests.clear()
    folder = hub.find_folder("o/m")
    assert (folder / "model.safetensors").read_bytes() == large
    assert server.sent["model.safetensors"] == len(large) - here
    assert f"bytes={here}-" in [asked for _, _, asked in server.requests]
    assert not list(Path(transfer_cache()).rglob("*.incomplete"))


def transfer_cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def leave_partial(server: HubServer, content: bytes) -> None:
    """Write the beginning of the weights into the cache as a download that was cut off does."""
    repository = server.repositories["o/m"]
    sha = hashlib.sha256((repository.revisions["main"] / "model.safetensors").read_bytes()).hexdigest()
    blobs = Path(transfer_cache()) / "models--o--m" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha}.incomplete").write_bytes(content)


@pytest.mark.parametrize("wrong", [b"\xff" * 300_000, b"\xff" * 1_024_000, b"\xff" * 2_000_000])
def test_a_beginning_that_is_not_the_file_s_is_downloaded_again(
    server: HubServer, large: bytes, wrong: bytes
) -> None:
    leave_partial(server, wrong)
    assert (hub.find_folder("o/m") / "model.safetensors").read_bytes() == large


def test_a_connection_that_breaks_is_made_again(
    server: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.cut_after = 400_000
    assert (hub.find_folder("o/m") / "model.safetensors").read_bytes() == large
    assert server.sent["model.safetensors"] < len(large) + 200_000


def test_a_connection_that_stays_broken_keeps_what_came(
    server: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.cut_after = 0
    with pytest.raises(InputError, match="The download of o/m was interrupted: load it again to resume"):
        hub.find_folder("o/m")


def test_progress_counts_all_files_and_ends_at_the_whole(server: HubServer, large: bytes) -> None:
    seen: list[tuple[str, float]] = []
    hub.find_folder("o/m", report=lambda note, share: seen.append((note, share)))
    assert seen[-1][0] == "Downloading o/m: 1.0 MB of 1.0 MB"
    assert [share for _, share in seen] == sorted(share for _, share in seen) or seen[-1][1] == 0.15


def test_a_disk_that_is_too_small_is_reported_before_the_download(
    server: HubServer, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    with pytest.raises(
        InputError,
        match=r"needs \d+ kB, but only 1\.0 kB are free in .*: free up disk space, or set HF_HOME",
    ):
        hub.find_folder("o/m")
    assert "model.safetensors" not in server.downloaded()


# --- What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "o/g is gated: accept its terms at huggingface.co/o/g, then set HF_TOKEN to a"),
        ("hf_other", "accept its terms at huggingface.co/o/g using the account of the token in HF_TOKEN"),
        ("nonsense", "The Hugging Face Hub rejected the token in HF_TOKEN"),
    ],
)  # fmt: skip
def test_a_gated_repository_says_what_to_do(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, said: str
) -> None:
    server.add("o/g", repository(tmp_path / "g"), gated=True)
    use_hub(monkeypatch, server, tmp_path / "cache", token)
    with pytest.raises(InputError) as caught:
        hub.find_folder("o/g")
    assert said in str(caught.value)
    use_hub(monkeypatch, server, tmp_path / "cache", TOKEN)
    assert (hub.find_folder("o/g") / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("token", "said"), [(None, "or set HF_TOKEN"), ("hf_other", "or check whether the token")]
)
@pytest.mark.parametrize("id", ["o/private", "o/none"])
def test_a_private_and_a_missing_repository_have_the_same_message(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id: str, token: str | None, said: str
) -> None:
    server.add("o/private", repository(tmp_path / "p"), private=True)
    use_hub(monkeypatch, server, tmp_path / "cache", token)
    with pytest.raises(
        InputError,
        match=f"{id} does not exist on the Hugging Face Hub, or it is private: check the name, {said}",
    ):
        hub.find_folder(id)


def test_the_token_is_not_sent_to_the_storage_s_host(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str | None]] = []
    monkeypatch.setattr(transfer, "LARGE", 10)
    server.add("o/g", repository(tmp_path / "g"), gated=True)
    use_hub(monkeypatch, server, tmp_path / "cache", TOKEN)
    server.on_request = lambda path, headers: seen.append((path, headers.get("Authorization")))
    hub.find_folder("o/g")
    assert any("/resolve/" in path and token for path, token in seen)
    assert [token for path, token in seen if path.startswith("/storage/")] == [None]


def test_what_is_in_the_cache_is_used_where_the_hub_is_not_reached(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("o/m", repository(tmp_path / "m"), revisions={"v1": repository(tmp_path / "old")})
    folder = hub.find_folder("o/m")
    server.down = True
    assert hub.find_folder("o/m") == folder
    use_hub(monkeypatch, None, tmp_path / "cache")
    assert hub.find_folder("o/m") == folder
    with pytest.raises(
        InputError, match="o/m@v1 is not on this machine, and the Hugging Face Hub cannot be reached"
    ):
        hub.find_folder("o/m@v1")
    with pytest.raises(InputError, match="o/other is not on this machine"):
        hub.find_folder("o/other")


def test_a_download_that_is_not_whole_is_reported_where_the_hub_is_not_reached(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("o/m", repository(tmp_path / "m", **{"a.gguf": b"x"}))
    hub.find_folder("o/m", hub.CARD_FILES)
    use_hub(monkeypatch, None, tmp_path / "cache")
    hub.find_folder("o/m", hub.CARD_FILES)
    for name, missing in (("o/m", "model.safetensors"), ("o/m:a.gguf", "a.gguf")):
        with pytest.raises(InputError, match=f"{name} is only partially downloaded \\(missing: {missing}\\)"):
            hub.find_folder(name)


def test_a_hub_that_is_down_is_a_sentence(server: HubServer, tmp_path: Path) -> None:
    server.down = True
    with pytest.raises(
        InputError, match="o/m is not on this machine, and the Hugging Face Hub cannot be reached"
    ):
        hub.find_folder("o/m")


@pytest.mark.parametrize("name", ["no spaces here", "a..b/c", "x" * 300])
def test_what_is_no_id_is_reported(server: HubServer, name: str) -> None:
    with pytest.raises(InputError, match="is neither a local folder nor a Hugging Face Hub ID"):
        hub.find_folder(name)


def test_an_adapter_of_a_revision_is_used(server: HubServer, tmp_path: Path) -> None:
    config = json.dumps({"base_model_name_or_path": "models/pocket", "peft_type": "LORA"}).encode()
    old = repository(tmp_path / "old", **{"model.safetensors": None, "adapter_config.json": config})
    server.add("o/a", repository(tmp_path / "new"), revisions={"refs/pr/1": old})
    library = Library.open("models/pocket", {"mine": "o/a@refs/pr/1"})
    assert library.pending == {"mine": "o/a@refs/pr/1"}
    assert hub.fetch_cards(library) == {}
    assert library.adapters["mine"].source == "o/a@refs/pr/1"
