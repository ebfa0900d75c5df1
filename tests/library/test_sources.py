"""Tests for resolving the names of base models and adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.config import Settings
from playground.engine import fits_beside
from playground.library.sources import find_source, looks_like_path, model_name
from playground.types import InputError


@pytest.mark.parametrize(
    ("name", "repository", "revision", "file"),
    [
        ("o/m", "o/m", None, None),
        ("gpt2", "gpt2", None, None),
        ("o/m@v1", "o/m", "v1", None),
        ("o/m@refs/pr/7", "o/m", "refs/pr/7", None),
        ("o/m:x.gguf", "o/m", None, "x.gguf"),
        ("o/m:a/b/x.GGUF", "o/m", None, "a/b/x.GGUF"),
        ("o/m@v1:x.gguf", "o/m", "v1", "x.gguf"),
        ("o/m:x.gguf@v1", "o/m", "v1", "x.gguf"),
        ("o/m-v0.1", "o/m-v0.1", None, None),
    ],
)
def test_names_of_the_hub(name: str, repository: str, revision: str | None, file: str | None) -> None:
    source = find_source(name)
    assert (source.repository, source.revision, source.file) == (repository, revision, file)
    assert source.folder is source.path is None
    assert model_name(name) == repository


@pytest.mark.parametrize("name", ["a", "a@v1", "a:b", "a:x.gguf", "o/m"])
def test_a_folder_that_is_here_wins_over_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    source = find_source(name)
    assert (source.folder, source.repository, source.file) == (Path(name), None, None)
    assert model_name(name) == name


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").mkdir()
    for name in ("x.gguf", "f/y.gguf", "f/a@b:c.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    assert find_source("x.gguf").path == Path("x.gguf")
    assert find_source("f:y.gguf").path == Path("f/y.gguf")
    assert find_source("f/a@b:c.gguf").file == "a@b:c.gguf"
    for name in ("f:z.gguf", "f:../x.gguf", "./z.gguf", "~/z.gguf", "a/b/c.gguf", r"C:\m\x.gguf"):
        with pytest.raises(InputError):
            find_source(name)


@pytest.mark.parametrize("name", ["./x", "/x", "~/x", "a/b/c", "models/none", r"C:\models\x", r"a\b"])
def test_paths_that_are_not_here(name: str) -> None:
    assert looks_like_path(name) == (name != "models/none")
    with pytest.raises(InputError, match="There is no model folder"):
        find_source(name)


@pytest.mark.parametrize("name", ["", " ", "\0", "x" * 5000])
def test_names_that_are_nothing_end_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError):
        fits_beside(Settings(base=name, device="cpu"), lambda note, share: None)
