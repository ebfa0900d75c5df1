"""Resolve the name of a base model or adapter to a folder, a GGUF file, or a Hugging Face Hub repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playground.types import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "shipped"
ROOT = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent
"""Folder that contains `prompts/`, `adapters/` and `models/`: the repository root or, in an installed
package, `playground/shipped`. Base model paths can be relative to this folder.
"""
GGUF = ".gguf"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Location of a model's or adapter's files."""

    name: str
    """The source name as given by the user."""
    folder: Path | None = None
    """The local folder that contains the files; None for a Hub repository."""
    repository: str | None = None
    """The Hub ID, ``owner/name``; None for a folder."""
    revision: str | None = None
    """Branch, tag or commit of the Hub repository; None for the default branch."""
    file: str | None = None
    """GGUF file in the folder or repository; None if the model or adapter is not a GGUF file."""

    @property
    def path(self) -> Path | None:
        """The local GGUF file or folder; None for a Hub repository."""
        if self.folder is None:
            return None
        return self.folder / self.file if self.file else self.folder


def find_source(name: str, root: Path = ROOT) -> Source:
    """Parse a source name: FOLDER, FILE.gguf, FOLDER:FILE.gguf, ID, ID@REVISION or ID@REVISION:FILE.gguf.

    Existing local paths take precedence, so folder names may contain "@" or ":". Relative paths are looked up
    in the working directory first, then in `root`. Nothing is downloaded.

    Raises:
        InputError: the name looks like a path but does not exist, or it refers to a non-GGUF file.
    """
    if (path := _existing(name, root)) is not None:
        if path.is_dir():
            return Source(name=name, folder=path)
        if path.suffix.lower() != GGUF:
            raise InputError(f"{name} is a file: specify its folder instead, or a file ending in {GGUF}.")
        return Source(name=name, folder=path.parent, file=path.name)
    stem, file = _split_file(name)
    if file is not None and (folder := _existing(stem, root)) is not None and folder.is_dir():
        if not _inside(folder, file).is_file():
            raise InputError(f"There is no file {file} in {stem}: {_list_gguf(folder)}.")
        return Source(name=name, folder=folder, file=file)
    repository, revision = _split_revision(stem)
    if looks_like_path(repository) or Path(repository).parts[:1] == ("models",):
        what = "file" if name.lower().endswith(GGUF) else "model folder"
        hint = " (for a file on the Hub, write owner/name:FILE.gguf)" if what == "file" else ""
        raise InputError(f"There is no {what} {name}: check the path, or specify a Hub ID{hint}.")
    return Source(name=name, repository=repository, revision=revision, file=file)


def looks_like_path(source: str) -> bool:
    """Return whether `source` looks like a local path rather than a Hub ID (``owner/name``)."""
    id, _ = _split_revision(_split_file(source)[0])
    return id.startswith((".", "/", "~", "\\")) or id.count("/") > 1 or ":\\" in source or "\\" in id


def model_name(source: str) -> str:
    """Return a source name without its Hub revision and file."""
    if Path(source).expanduser().exists():
        return source
    return _split_revision(_split_file(source)[0])[0]


def _existing(name: str, root: Path) -> Path | None:
    if not name.strip() or "\0" in name:
        return None
    for path in (Path(name).expanduser(), root / name):
        try:
            if path.exists():
                return path
        except OSError:  # the name is too long to be a file name
            return None
    return None


def _split_file(name: str) -> tuple[str, str | None]:
    """Split ``ID:FILE.gguf`` into ID and file. A revision given after the file becomes part of the ID."""
    stem, colon, file = name.partition(":") if name[1:3] != ":\\" else (name, "", "")
    if not colon:
        return name, None
    file, at, revision = file.partition("@")
    if not file.lower().endswith(GGUF):
        return name, None
    return (f"{stem}@{revision}" if at else stem), file


def _split_revision(name: str) -> tuple[str, str | None]:
    id, at, revision = name.partition("@")
    if not (at and id and revision):
        return name, None
    return id, revision


def _inside(folder: Path, file: str) -> Path:
    path = folder / file
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise InputError(f"{file} is not inside {folder}: specify a file in that folder.")
    return path


def _list_gguf(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("*") if path.suffix.lower() == GGUF)
    return f"it has {', '.join(names[:5])}" if names else f"it has no {GGUF} file"
