"""Tests for downloading prompt files from a git commit, using a local git server."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Never

import pytest
from typer.testing import CliRunner, Result

import playground.published.manifest
from playground.cli.main import app
from playground.library import POCKET, Library
from playground.published import git as git_download
from playground.published.fetch import fetch
from playground.published.git import CommitError, Taken, take
from playground.published.local_files import Outcome
from playground.published.manifest import Collection, Published
from playground.types import InputError, OutsideError

Tandem = Callable[..., Result]
"""The command `fetch theirs` with more flags."""

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

TEXT = "# Instruction\n\nBe brief.\n\n# Query:\n```\nOne?\n```\n\n# Answer:\n```\n{}, né?\n```\n"
LISTED = b"You answer questions.\n"
FILES = {
    "prompts/listed.txt": LISTED,
    "prompts/plain.txt": TEXT.format("plain").encode(),
    "prompts/a/same.txt": TEXT.format("a").encode(),
    "prompts/b/same.txt": TEXT.format("b").encode(),
    "prompts/b/general-3.txt": TEXT.format("general").encode(),
    "prompts/b/best 4&5.examples.txt": TEXT.format("best").encode(),
    "prompts/b/listed.txt": TEXT.format("another").encode(),
    "prompts/read.md": b"not a prompt file",
    "elsewhere/other.txt": b"not in the folder",
    # Random, so that it stays as large however it is packed.
    "elsewhere/large.bin": random.Random(0).randbytes(1_000_000),
}
NAMES = {
    "prompts/a/same.txt": "same.txt",
    "prompts/b/best 4&5.examples.txt": "best-4-5.examples.txt",
    "prompts/b/general-3.txt": "b-general-3.txt",
    "prompts/b/listed.txt": "b-listed.txt",
    "prompts/b/same.txt": "b-same.txt",
    "prompts/plain.txt": "plain.txt",
}


def git(folder: Path, *command: str, given: bytes = b"") -> str:
    """What a git command prints, run as someone of no name."""
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    result = subprocess.run(["git", *settings, *command], cwd=folder, input=given, capture_output=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode().strip()


class GitServer:
    """`git http-backend` behind HTTP, with repositories in `root`; it misbehaves as `faults` say, one for
    each request for objects. `files` are served beside them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.swap: tuple[str, str] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.answer(self, b"")

            def do_POST(self) -> None:
                outer.answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path, _, query = request.path.partition("?")
        self.requests.append((request.path, dict(request.headers)))
        if path in self.files:
            request.send_response(200)
            request.send_header("Content-Length", str(len(self.files[path])))
            request.end_headers()
            request.wfile.write(self.files[path])
            return
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        fault = self.faults.pop(0) if self.faults and b"command=fetch" in body else ""
        if fault.isdecimal():
            request.send_response(int(fault))
            request.end_headers()
            return
        if self.swap:
            body = body.replace(self.swap[0].encode(), self.swap[1].encode())
        result = subprocess.run(
            ["git", "http-backend"],
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "REQUEST_METHOD": request.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
            },
            input=body,
            capture_output=True,
        )
        head, _, data = result.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if fault == "cut":
            data = data[: len(data) - len(data) // 3]
        elif fault == "another byte":
            at = data.index(b"PACK") + 40
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        step = {"slow": 60, "many": 50_000, "silent": len(data) // 2}.get(fault, len(data) or 1)
        try:
            for start in range(0, len(data), step):
                request.wfile.write(data[start : start + step])
                request.wfile.flush()
                time.sleep(20 if fault == "silent" else 0.1 if step < len(data) else 0)
        except OSError:  # the other side has gone
            pass

    def close(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "server").mkdir()
    server = GitServer(tmp_path / "server")
    yield server
    server.close()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where git's folders are made and must be gone again."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def them(server: GitServer, tmp_path: Path) -> Repository:
    """Their repository on the server, with two commits; the older one is pinned."""
    folder = tmp_path / "theirs"
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    git(folder, "init", "-q")
    (folder / "prompts" / "link.txt").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    # Another repository within it, as a submodule is, of a name that would fit.
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},prompts/module.txt")
    git(folder, "commit", "-qm", "one")
    first = git(folder, "rev-parse", "HEAD")
    (folder / "prompts" / "plain.txt").write_text("Changed since.\n")
    git(folder, "commit", "-qam", "two")
    serve(server, folder)
    server.files[f"/them/prompts/{first}/prompts/listed.txt"] = LISTED
    return Repository(folder, first, git(folder, "rev-parse", "HEAD"))


class Repository:
    def __init__(self, folder: Path, first: str, second: str) -> None:
        self.folder = folder
        self.first = first
        self.second = second
        self.collection = Collection(
            name="theirs",
            description="for tests",
            repository="them/prompts",
            licence="none",
            revision=first,
            folders=("prompts",),
            files=(
                Published(
                    path="prompts/listed.txt",
                    blob=None,
                    size=len(LISTED),
                    sha256=hashlib.sha256(LISTED).hexdigest(),
                ),
            ),
        )


def serve(server: GitServer, folder: Path, filters: str = "true") -> None:
    bare = server.root / "them" / "prompts.git"
    git(folder, "clone", "-q", "--bare", ".", str(bare))
    git(bare, "config", "uploadpack.allowFilter", filters)
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")


def taken(server: GitServer, revision: str, **how: Any) -> list[Taken]:
    how = {"timeout": 5.0, "folders": ["prompts"], "suffix": ".txt", "largest": 10_000, **how}
    return take(f"{server.url}/them/prompts.git", revision, **how)


def run(server: GitServer, them: Repository, folder: Path, **how: Any) -> list[Outcome]:
    taken = list(Library.open(POCKET, data_dir=folder.parent).demo_sets)
    how = {"timeout": 5.0, "pause": 0.0, "taken": taken, **how}
    return list(fetch(them.collection, folder, mirror=server.url, **how))


def states(outcomes: Iterable[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def path_of(outcome: Outcome) -> str:
    """Where a file is in their repository."""
    assert outcome.file is not None
    return outcome.file.path


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def running(port: int) -> list[list[bytes]]:
    """Commands that speak to the server on `port`, of those that this system lets one see."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(f":{port}/".encode() in word for word in words):
            found.append(words)
    return found


# --- One commit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("filters", ["true", "false"])
def test_plain_files_of_the_folder_are_taken_as_they_are_in_the_commit(
    server: GitServer, them: Repository, work: Path, filters: str
) -> None:
    git(server.root / "them" / "prompts.git", "config", "uploadpack.allowFilter", filters)
    found = {file.path: file.data for file in taken(server, them.first)}
    assert found == {
        path: data for path, data in FILES.items() if path.startswith("prompts/") and ".txt" in path
    }
    assert list(found) == sorted(found)
    assert list(work.iterdir()) == []


def test_what_is_not_wanted_is_not_sent(
    server: GitServer, them: Repository, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their large file would not fit, so a server that knows filters has left it out."""
    monkeypatch.setattr(git_download, "TRANSFER", 200_000)
    sizes: list[int] = []
    size = git_download._size

    def measure(folder: Path) -> int:
        sizes.append(size(folder))
        return sizes[-1]

    monkeypatch.setattr(git_download, "_size", measure)
    server.faults = ["slow"]
    assert taken(server, them.first)
    assert sizes
    assert max(sizes) < 200_000


def test_a_file_that_is_too_large_is_named_and_not_taken(server: GitServer, them: Repository) -> None:
    found = {file.path: (file.data, file.size) for file in taken(server, them.first, largest=30)}
    assert found["prompts/listed.txt"] == (LISTED, len(LISTED))
    assert found["prompts/plain.txt"] == (None, len(FILES["prompts/plain.txt"]))


def test_a_commit_that_is_not_there_is_reported(server: GitServer, them: Repository, work: Path) -> None:
    with pytest.raises(
        CommitError, match=r"127\.0\.0\.1 does not have commit 1234567 of them/prompts: .*open an issue"
    ):
        taken(server, "1234567" + "0" * 33, attempts=3)
    assert list(work.iterdir()) == []


def test_a_repository_that_is_not_there_is_reported(server: GitServer, work: Path) -> None:
    with pytest.raises(CommitError, match=r"does not have the repository of commit 1234567 of them/prompts"):
        taken(server, "1234567" + "0" * 33)


def test_another_commit_than_the_one_asked_for_is_refused(
    server: GitServer, them: Repository, work: Path
) -> None:
    """The server sends a true commit, complete and well formed, but the other one."""
    server.swap = (them.first, them.second)
    with pytest.raises(CommitError) as caught:
        taken(server, them.first)
    said = (
        f"git rejected the data that 127.0.0.1 sent for commit {them.first[:7]} of them/prompts (bad object"
    )
    assert str(caught.value).startswith(said)
    server.swap = None
    assert taken(server, them.first)


def test_a_byte_that_changed_on_the_way_is_refused(server: GitServer, them: Repository, work: Path) -> None:
    server.faults = ["another byte"]
    with pytest.raises(CommitError):
        taken(server, them.first)
    server.faults = ["", "another byte"]
    with pytest.raises(CommitError):
        taken(server, them.first)
    server.faults = ["another byte"]
    assert taken(server, them.first, attempts=2)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("name", [b"..", b".git"])
def test_a_tree_that_leads_out_of_its_folder_is_refused(
    server: GitServer, tmp_path: Path, work: Path, name: bytes
) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    git(folder, "init", "-q")
    blob = git(folder, "hash-object", "-w", "--stdin", given=b"theirs")
    tree = b"100644 x.txt\0" + bytes.fromhex(blob)
    for inner in (name, b"prompts"):
        made = git(folder, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=tree)
        tree = b"40000 " + inner + b"\0" + bytes.fromhex(made)
    made = git(folder, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=tree)
    revision = git(folder, "commit-tree", made, "-m", "evil")
    git(folder, "update-ref", "refs/heads/main", revision)
    shutil.copytree(folder / ".git", server.root / "them" / "prompts.git")
    git(server.root / "them" / "prompts.git", "config", "uploadpack.allowFilter", "true")
    with pytest.raises(
        CommitError, match=rf"git rejected the data that .*contains '{re.escape(name.decode())}'"
    ):
        taken(server, revision)
    assert not list(tmp_path.rglob("x.txt"))


def test_a_folder_without_prompt_files_is_reported(server: GitServer, them: Repository) -> None:
    with pytest.raises(CommitError, match="no prompt files in gone, away at commit"):
        taken(server, them.first, folders=["gone", "away"])


def test_what_breaks_off_is_asked_for_again_and_then_given_up(
    server: GitServer, them: Repository, work: Path
) -> None:
    server.faults = ["cut", "", "cut", "", ""]
    assert len(taken(server, them.first, attempts=3)) == 7
    server.faults = ["cut"] * 3
    with pytest.raises(CommitError, match="fetch again"):
        taken(server, them.first, attempts=3)
    assert server.faults == []
    assert list(work.iterdir()) == []


def test_a_slow_server_is_cut_off_at_the_limit(server: GitServer, them: Repository, work: Path) -> None:
    server.faults = ["slow"]
    started = time.monotonic()
    with pytest.raises(CommitError, match=r"from 127\.0\.0\.1 took longer than 0\.6 s"):
        taken(server, them.first, limit=0.6, attempts=3)
    assert time.monotonic() - started < 3
    assert running(server.httpd.server_port) == []
    assert list(work.iterdir()) == []


def test_a_silent_server_is_given_up(server: GitServer, them: Repository) -> None:
    server.faults = ["silent"]
    started = time.monotonic()
    with pytest.raises(CommitError, match=r"git cannot fetch commit .*fetch again later"):
        taken(server, them.first, timeout=1.0)
    assert time.monotonic() - started < 15  # curl looks at the speed of the last five seconds


def test_a_server_that_sends_too_much_is_cut_off(
    server: GitServer, them: Repository, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_download, "TRANSFER", 300_000)
    git(server.root / "them" / "prompts.git", "config", "uploadpack.allowFilter", "false")
    server.faults = ["many"]
    with pytest.raises(CommitError, match=r"it exceeds 0\.3 MB"):
        taken(server, them.first)
    assert running(server.httpd.server_port) == []
    assert list(work.iterdir()) == []


def test_more_files_than_a_collection_has_are_refused(
    server: GitServer, them: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_download, "FILES", 6)
    with pytest.raises(CommitError, match="7 files"):
        taken(server, them.first)


def test_offline_is_reported(server: GitServer, them: Repository) -> None:
    server.close()
    with pytest.raises(CommitError, match=r"127\.0\.0\.1 cannot be reached .*check the connection"):
        taken(server, them.first)


def test_nothing_that_a_person_has_set_for_git_has_a_say(
    server: GitServer, them: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "file:///nowhere/"]\n\tinsteadOf = {server.url}/\n')
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'protocol.http.allow'='never'")
    assert len(taken(server, them.first)) == 7
    assert not (tmp_path / "trace").exists()
    assert not any("Authorization" in headers for _, headers in server.requests)


def test_no_password_is_asked_for(server: GitServer, them: Repository) -> None:
    """A server that wants one has nothing that is public."""
    server.faults = ["401"]
    with pytest.raises(CommitError, match="does not have the repository"):
        taken(server, them.first)


@pytest.mark.parametrize("url", ["ssh://127.0.0.1/x.git", "ext::sh -c true", "--upload-pack=true"])
def test_another_protocol_is_not_spoken(server: GitServer, them: Repository, url: str) -> None:
    """Whatever the server redirects to: HTTP alone is allowed where HTTP is asked."""
    program = shutil.which("git")
    assert program is not None
    commit = git_download._Repository(
        program,
        server.root,
        f"{server.url}/them/prompts.git",
        them.first,
        5.0,
        time.monotonic() + 5,
        5,
    )
    commit.settings["remote.origin.url"] = url
    commit._git("init", "--quiet", "--bare", "--template=", ".")
    with pytest.raises(CommitError, match=r"not allowed|does not appear|strange|blocked"):
        commit._fetch("--depth=1", them.first)


# --- A collection ---------------------------------------------------------------------------------


def test_all_files_come_with_names_of_their_own_and_are_sets_then(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    outcomes = run(server, them, folder)
    assert states(outcomes) == ["fetched"] * 7
    assert {path_of(outcome): outcome.path.name for outcome in outcomes[1:]} == NAMES
    theirs = {name: FILES[path] for path, name in NAMES.items()}
    assert visible(folder) == {"listed.txt": LISTED, **theirs}
    library = Library.open(POCKET, data_dir=folder.parent)
    assert library.problems == []
    assert set(library.own_sets) == {name.removesuffix(".txt") for name in visible(folder)}
    assert library.demo_set("b-same").demos[0].answer == "b, né?"


def test_a_second_run_asks_for_nothing(server: GitServer, them: Repository, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    server.requests.clear()
    assert states(run(server, them, folder)) == ["here"] * 7
    assert server.requests == []


def test_a_file_that_a_person_changed_stays_and_one_that_went_comes_again(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    (folder / "same.txt").write_bytes(b"My own.\n")
    server.requests.clear()
    outcomes = {outcome.path.name: outcome.state for outcome in run(server, them, folder)}
    assert outcomes.pop("same.txt") == "kept"
    assert set(outcomes.values()) == {"here"}
    assert server.requests == []
    (folder / "b-same.txt").unlink()
    outcomes = {outcome.path.name: outcome.state for outcome in run(server, them, folder)}
    assert (outcomes["same.txt"], outcomes["b-same.txt"]) == ("kept", "fetched")
    assert (folder / "same.txt").read_bytes() == b"My own.\n"
    assert (folder / "b-same.txt").read_bytes() == FILES["prompts/b/same.txt"]
    assert len(visible(folder)) == 7


def test_files_and_sets_of_the_persons_keep_their_names(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    folder.mkdir(parents=True)
    (folder / "plain.txt").write_bytes(b"My own.\n")
    (folder / "mine.toml").write_text('name = "same"\ninstruction = "My own."\n')
    outcomes = {path_of(outcome): outcome.path.name for outcome in run(server, them, folder)}
    assert outcomes["prompts/plain.txt"] == "prompts-plain.txt"
    assert (outcomes["prompts/a/same.txt"], outcomes["prompts/b/same.txt"]) == ("a-same.txt", "b-same.txt")
    assert (folder / "plain.txt").read_bytes() == b"My own.\n"
    assert Library.open(POCKET, data_dir=folder.parent).problems == []


def test_without_the_note_the_files_are_known_by_their_content(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    before = visible(folder)
    (folder / ".theirs.fetched.json").unlink()
    assert states(run(server, them, folder)) == ["here"] * 7
    assert visible(folder) == before


def test_what_came_first_must_come_again(server: GitServer, them: Repository, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    note = folder / ".theirs.fetched.json"
    table = json.loads(note.read_text())
    assert table["revision"] == them.first
    noted = {entry["path"]: entry["sha256"] for entry in table["files"]}
    assert noted == {path: hashlib.sha256(FILES[path]).hexdigest() for path in NAMES}
    table["files"][0]["sha256"] = "0" * 64
    note.write_text(json.dumps(table))
    (folder / "same.txt").unlink()
    failed = [outcome for outcome in run(server, them, folder) if outcome.state != "here"]
    assert [outcome.path.name for outcome in failed] == ["same.txt"]
    assert failed[0].error is not None
    assert "its SHA-256 differs from when it was first fetched" in failed[0].error
    assert not (folder / "same.txt").exists()
    assert json.loads(note.read_text()) == table


@pytest.mark.parametrize(
    "change",
    [
        lambda table: {**table, "files": 3},
        lambda table: {**table, "files": [{**table["files"][0], "name": "../../out.txt"}]},
        lambda table: {**table, "files": [{**table["files"][0], "more": 1}]},
        lambda table: {**table, "files": ["x"]},
        lambda table: {"files": []},
        lambda table: [],
    ],
)
def test_a_note_that_is_none_is_one_sentence(
    server: GitServer, them: Repository, tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    note = folder / ".theirs.fetched.json"
    note.write_text(json.dumps(change(json.loads(note.read_text()))))
    with pytest.raises(InputError, match=r"\.theirs\.fetched\.json"):
        run(server, them, folder)


def test_another_commit_in_the_manifest_is_fetched_beside_what_is_there(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    run(server, them, folder)
    before = visible(folder)
    them.collection = replace(them.collection, revision=them.second)
    outcomes = {path_of(outcome): outcome for outcome in run(server, them, folder)}
    assert (outcomes["prompts/plain.txt"].state, outcomes["prompts/plain.txt"].path.name) == (
        "fetched", "prompts-plain.txt",
    )  # fmt: skip
    assert visible(folder) == {**before, "prompts-plain.txt": b"Changed since.\n"}


def test_a_failure_of_git_leaves_the_listed_files(
    server: GitServer, them: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "demos"
    server.faults = ["500"] * 3
    outcomes = run(server, them, folder)
    assert states(outcomes) == ["fetched", "failed"]
    assert outcomes[1].error is not None
    assert "500" in outcomes[1].error
    assert server.faults == []
    assert [path.name for path in folder.iterdir()] == ["listed.txt"]
    assert states(run(server, them, folder)) == ["here"] + ["fetched"] * 6


def test_a_full_disk_is_one_sentence(
    server: GitServer, them: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Never:
        raise OSError(28, "No space left on device", str(tmp_path / "git"))

    monkeypatch.setattr(git_download, "take", full)
    with pytest.raises(OutsideError, match=r"Cannot write .*git: No space left on device; free up"):
        run(server, them, tmp_path / "data" / "demos")


# --- The command ----------------------------------------------------------------------------------


@pytest.fixture
def tandem(server: GitServer, them: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tandem:
    """The command `fetch theirs`, with a git's place given."""
    monkeypatch.setattr(playground.published.manifest, "find_collection", lambda name: them.collection)
    monkeypatch.setenv("TANDEM_MIRROR", server.url)

    def call(*flags: str) -> Result:
        return CliRunner().invoke(app, ["fetch", "theirs", "--data-dir", str(tmp_path / "data"), *flags])

    return call


def test_the_command_names_the_sets(tandem: Tandem, tmp_path: Path) -> None:
    result = tandem()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"fetched {tmp_path / 'data' / 'demos' / 'listed.txt'}"
    assert lines[-1] == (
        "Use these sets as demos=NAME: listed, same, best-4-5.examples, b-general-3, b-listed, b-same, plain"
    )
    rows = json.loads(tandem("--json").stdout)["files"]
    assert {row["published"]: row["name"] for row in rows[1:]} == NAMES
    assert rows[5] == {
        "name": "b-same.txt",
        "published": "prompts/b/same.txt",
        "path": str(tmp_path / "data" / "demos" / "b-same.txt"),
        "state": "here",
        "set": "b-same",
        "error": None,
    }


def test_without_git_the_command_says_what_came_and_what_to_install(
    tandem: Tandem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    result = tandem()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "Use these sets as demos=NAME: listed"
    (said,) = result.stderr.splitlines()
    assert said.startswith("git is not installed")
    assert "(listed.txt)" in said
    assert "install git" in said
    failed = json.loads(tandem("--json").stdout)["files"][1]
    assert (failed["name"], failed["state"]) == (None, "failed")
