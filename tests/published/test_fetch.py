"""Tests for downloading published prompt files from a local HTTP server."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from playground.demonstrations.files import read_demo_file
from playground.library import POCKET, ROOT, Library
from playground.published.fetch import fetch
from playground.published.local_files import Outcome
from playground.published.manifest import (
    MANIFESTS,
    Collection,
    Published,
    find_collection,
    list_collections,
    read_manifest,
)
from playground.types import InputError, OutsideError

REVISION = "0123456789abcdef0123456789abcdef01234567"
BLOB = "89abcdef0123456789abcdef0123456789abcdef"
FENCE = "```"
ONE = "# Instruction\n\nBe brief.\n\n" + "".join(
    f"# Query:\n{FENCE}\nWhat is {n} + {n}?\n{FENCE}\n\n# Answer:\n{FENCE}\nIt is {2 * n}, né?\n{FENCE}\n\n"
    for n in range(1, 300)
)
ONE_BYTES = ONE.rstrip("\n").encode()
TWO_BYTES = b"You answer questions.\r\n"


class Server:
    """An HTTP server that serves `files` by path, and misbehaves as `faults` say: one for each request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.answer(self)

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append((request.path, dict(request.headers)))
        faults = self.faults.get(request.path, [])
        fault = faults.pop(0) if faults else ""
        data = self.files.get(request.path)
        if fault.isdecimal() or data is None:
            request.send_response(int(fault or 404))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        begin = 0
        asked = request.headers.get("Range", "")
        if asked and fault != "no ranges":
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        request.send_response(206 if begin else 200)
        body = data[begin:]
        if fault != "cut without a length":
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        half = body[: len(body) // 2]
        if fault == "reset":
            request.wfile.write(half)
            request.wfile.flush()
            time.sleep(0.1)  # so that what was sent has been read before the reset throws it away
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close_connection = True
            request.connection.close()
        elif fault.startswith("cut"):
            request.wfile.write(half)
            request.close_connection = True
        elif fault == "silent":
            request.wfile.write(half)
            request.wfile.flush()
            time.sleep(2)
            request.close_connection = True
        elif fault == "slow":
            for start in range(0, len(body), 4000):
                request.wfile.write(body[start : start + 4000])
                request.wfile.flush()
                time.sleep(0.1)
        elif fault == "other bytes":
            request.wfile.write(body.replace(b"It is", b"It as"))
        else:
            request.wfile.write(body)

    def close(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()


def published(path: str, data: bytes, blob: str | None = None) -> Published:
    return Published(path=path, blob=blob, size=len(data), sha256=hashlib.sha256(data).hexdigest())


ONE_AT = f"/them/prompts/{REVISION}/some/dir/one%261.txt"
TWO_AT = f"/repos/them/prompts/git/blobs/{BLOB}"
COLLECTION = Collection(
    name="theirs",
    description="for tests",
    repository="them/prompts",
    licence="none",
    revision=REVISION,
    files=(published("some/dir/one&1.txt", ONE_BYTES), published("two.txt", TWO_BYTES, BLOB)),
)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.files = {ONE_AT: ONE_BYTES, TWO_AT: TWO_BYTES}
    yield server
    server.close()


def path_at(server: Server, collection: Collection, file: Published) -> str:
    return collection.address(file, server.url).removeprefix(server.url)


def run(server: Server, folder: Path, timeout: float = 5.0) -> list[Outcome]:
    return list(fetch(COLLECTION, folder, mirror=server.url, timeout=timeout, pause=0.0))


def states(outcomes: Iterable[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def reason(outcome: Outcome) -> str:
    """Why a file did not come."""
    assert outcome.error is not None
    return outcome.error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_come_to_the_byte_and_are_sets_then(server: Server, tmp_path: Path) -> None:
    outcomes = run(server, tmp_path / "demos")
    assert states(outcomes) == ["fetched", "fetched"]
    assert (tmp_path / "demos" / "one&1.txt").read_bytes() == ONE_BYTES
    assert (tmp_path / "demos" / "two.txt").read_bytes() == TWO_BYTES
    assert names(tmp_path / "demos") == ["one&1.txt", "two.txt"]
    library = Library.open(POCKET, data_dir=tmp_path)
    assert library.problems == []
    assert len(library.demo_set("one-1").demos) == 299
    assert library.own_sets["one-1"] == tmp_path / "demos" / "one&1.txt"
    assert library.demo_set("two").whole


def test_a_file_is_asked_for_at_its_revision_and_a_blob_as_its_content(
    server: Server, tmp_path: Path
) -> None:
    run(server, tmp_path)
    (one, one_headers), (two, two_headers) = server.requests
    assert (one, two) == (ONE_AT, TWO_AT)
    assert one_headers["Accept-Encoding"] == "identity"
    assert two_headers["Accept"] == "application/vnd.github.raw+json"


def test_a_second_run_downloads_nothing(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path)
    server.requests.clear()
    before = (tmp_path / "one&1.txt").stat()
    assert states(run(server, tmp_path)) == ["here", "here"]
    assert server.requests == []
    after = (tmp_path / "one&1.txt").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_a_person_changed_stays_as_it_is(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path)
    mine = b"My own instruction.\n"
    (tmp_path / "one&1.txt").write_bytes(mine)
    (tmp_path / "two.txt").unlink()
    server.requests.clear()
    assert states(run(server, tmp_path)) == ["kept", "fetched"]
    assert (tmp_path / "one&1.txt").read_bytes() == mine
    assert [path for path, _ in server.requests] == [TWO_AT]


def test_a_file_that_appears_during_the_download_stays_as_it_is(server: Server, tmp_path: Path) -> None:
    server.faults[ONE_AT] = ["slow"]
    threading.Timer(0.3, lambda: (tmp_path / "one&1.txt").write_bytes(b"mine")).start()
    outcomes = run(server, tmp_path)
    assert states(outcomes) == ["failed", "fetched"]
    assert "was created in the meantime" in reason(outcomes[0])
    assert (tmp_path / "one&1.txt").read_bytes() == b"mine"


def test_a_link_that_leads_nowhere_is_not_written_through(server: Server, tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "two.txt").symlink_to(tmp_path / "elsewhere.txt")
    assert states(run(server, tmp_path / "demos")) == ["fetched", "kept"]
    assert not (tmp_path / "elsewhere.txt").exists()


def test_other_bytes_are_thrown_away_and_the_other_files_come(server: Server, tmp_path: Path) -> None:
    server.faults[ONE_AT] = ["other bytes"]
    first, second = run(server, tmp_path)
    assert (first.state, second.state) == ("failed", "fetched")
    assert reason(first).startswith("Discarded one&1.txt: ")
    assert "SHA-256" in reason(first)
    assert names(tmp_path) == ["two.txt"]


def test_a_shorter_file_is_thrown_away_at_once(server: Server, tmp_path: Path) -> None:
    server.files[ONE_AT] = ONE_BYTES[:-1]
    first, _ = run(server, tmp_path)
    assert "SHA-256" in reason(first)
    assert [path for path, _ in server.requests].count(ONE_AT) == 1
    assert names(tmp_path) == ["two.txt"]


def test_a_larger_file_is_not_read_to_its_end(server: Server, tmp_path: Path) -> None:
    server.files[ONE_AT] = ONE_BYTES + b"x" * 30_000_000
    first, _ = run(server, tmp_path)
    assert "SHA-256" in reason(first)
    assert names(tmp_path) == ["two.txt"]


@pytest.mark.parametrize(
    ("code", "said"),
    [("404", "HTTP 404"), ("410", "HTTP 410"), ("403", "in an hour"), ("429", "in an hour")],
)
def test_what_the_server_does_not_give_is_asked_for_once(
    server: Server, tmp_path: Path, code: str, said: str
) -> None:
    server.faults[ONE_AT] = [code, code, code]
    first, second = run(server, tmp_path)
    assert (first.state, second.state) == ("failed", "fetched")
    assert said in reason(first)
    assert "one&1.txt" in reason(first)
    assert [path for path, _ in server.requests].count(ONE_AT) == 1


def test_a_server_that_fails_is_asked_again_and_then_given_up(server: Server, tmp_path: Path) -> None:
    server.faults[ONE_AT] = ["500", "503"]
    assert states(run(server, tmp_path)) == ["fetched", "fetched"]
    (tmp_path / "one&1.txt").unlink()
    server.faults[ONE_AT] = ["500", "500", "500"]
    first, second = run(server, tmp_path)
    assert (first.state, second.state) == ("failed", "here")
    assert "HTTP 500" in reason(first)


@pytest.mark.parametrize("fault", ["reset", "cut", "cut without a length", "silent"])
def test_a_download_that_breaks_off_is_continued(server: Server, tmp_path: Path, fault: str) -> None:
    server.faults[ONE_AT] = [fault]
    assert states(run(server, tmp_path, timeout=0.5)) == ["fetched", "fetched"]
    assert (tmp_path / "one&1.txt").read_bytes() == ONE_BYTES
    (_, first), (_, second), *_ = server.requests
    assert "Range" not in first
    assert second["Range"] == f"bytes={len(ONE_BYTES) // 2}-"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("reset", "was lost"),
        ("cut", "was lost"),
        ("cut without a length", "sent only"),
        ("silent", "stopped sending data"),
    ],
)
def test_what_came_before_the_last_attempt_failed_is_completed_by_the_next_run(
    server: Server, tmp_path: Path, fault: str, said: str
) -> None:
    server.faults[ONE_AT] = [fault] * 3
    first, second = run(server, tmp_path, timeout=0.5)
    assert (first.state, second.state) == ("failed", "fetched")
    assert said in reason(first)
    part = (tmp_path / ".one&1.txt.part").stat().st_size
    assert 0 < part < len(ONE_BYTES)
    assert set(Library.open(POCKET, data_dir=tmp_path.parent).own_sets) == set()
    server.requests.clear()
    assert states(run(server, tmp_path)) == ["fetched", "here"]
    assert [headers["Range"] for _, headers in server.requests] == [f"bytes={part}-"]
    assert (tmp_path / "one&1.txt").read_bytes() == ONE_BYTES
    assert names(tmp_path) == ["one&1.txt", "two.txt"]


def test_a_slow_server_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.faults[ONE_AT] = ["slow"]
    assert states(run(server, tmp_path, timeout=1.0)) == ["fetched", "fetched"]


@pytest.mark.parametrize("rest", [b"not what they wrote", ONE_BYTES + b"more", b"x" * len(ONE_BYTES)])
def test_a_part_that_is_no_part_of_it_is_thrown_away(server: Server, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / ".one&1.txt.part").write_bytes(rest)
    assert states(run(server, tmp_path)) == ["fetched", "fetched"]
    assert (tmp_path / "one&1.txt").read_bytes() == ONE_BYTES


def test_a_server_without_ranges_sends_it_whole(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".one&1.txt.part").write_bytes(ONE_BYTES[:1000])
    server.faults[ONE_AT] = ["no ranges"]
    assert states(run(server, tmp_path)) == ["fetched", "fetched"]
    assert (tmp_path / "one&1.txt").read_bytes() == ONE_BYTES


def test_offline_is_reported_once_and_nothing_is_lost(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".one&1.txt.part").write_bytes(ONE_BYTES[:1000])
    server.close()
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1 cannot be reached .*: check the connection"):
        run(server, tmp_path)
    assert (tmp_path / ".one&1.txt.part").read_bytes() == ONE_BYTES[:1000]


def test_a_folder_that_cannot_be_made_is_a_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "demos").write_text("a file")
    with pytest.raises(OutsideError, match=r"Cannot write .*one&1\.txt.*--data-dir"):
        run(server, tmp_path / "demos")


def test_nothing_is_written_into_the_repository(server: Server) -> None:
    with pytest.raises(InputError, match="--data-dir"):
        run(server, ROOT / "prompts" / "demos")
    assert server.requests == []


# --- Manifests ------------------------------------------------------------------------------------

HEAD = f'description = "d"\nrepository = "a/b"\nlicence = "l"\nrevision = "{REVISION}"\n'
SHA = "0" * 64


def entry(path: str = "x.txt", size: str = "3", sha256: str = SHA, more: str = "") -> str:
    return f'[[files]]\npath = "{path}"\nsize = {size}\nsha256 = "{sha256}"\n{more}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + entry("../../.bashrc.txt"), ["line 6", "'../../.bashrc.txt'", "'..'"]),
        (HEAD + entry("a/../b.txt"), ["line 6", "'..'"]),
        (HEAD + entry("/etc/passwd.txt"), ["line 6", "/etc/passwd.txt"]),
        (HEAD + entry("a\\\\b.txt"), ["line 6"]),
        (HEAD + entry("c:x.txt"), ["line 6"]),
        (HEAD + 'folders = ["a/../b"]\n' + entry(), ["line 5", "'a/../b'", "'..'"]),
        (HEAD + 'folders = ["--x", 3]\n' + entry(), ["line 5", "3 must be a folder"]),
        (HEAD + 'folders = "a"\n' + entry(), ["line 5", "folders must be a list"]),
        (HEAD.replace("revision", "#") + 'folders = ["a"]\nfiles = []\n', ["line 5", "'revision'"]),
        (HEAD + entry("run.sh"), ["line 6", "prompt file"]),
        (HEAD + entry(sha256="abc"), ["line 8", "64"]),
        (HEAD + entry(size="0"), ["line 7", "at least 1"]),
        (HEAD + entry(size='"3"'), ["line 7", "an integer"]),
        (HEAD + entry(more='blob = "HEAD"\n'), ["line 9", "40"]),
        (HEAD + entry(more="run = 1\n"), ["line 9", "unknown key 'run'"]),
        (HEAD + entry("a/x.txt") + entry("b/x.txt"), ["line 9", "'x.txt'"]),
        (HEAD.replace(REVISION, "main") + entry(), ["line 4", "commit"]),
        (HEAD.replace("a/b", "a/b/../c") + entry(), ["line 2", "owner/name"]),
        (HEAD.replace(f'revision = "{REVISION}"\n', "") + entry(), ["line 4", "'blob'"]),
        ("files = 1", ["line 1"]),
    ],
)  # fmt: skip
def test_a_manifest_that_is_wrong_is_one_sentence_with_the_place(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for words in said:
        assert words in message


def test_the_manifests_here_can_be_read_and_their_sets_have_names_of_their_own() -> None:
    found = list_collections()
    assert [collection.name for collection in found] == ["icl-alignment", "urial"]
    stems = [Path(file.name).stem for collection in found for file in collection.files]
    assert len(stems) == len(set(stems))
    assert not set(stems) & set(Library.open(POCKET).demo_sets)
    with pytest.raises(InputError, match="choose one of icl-alignment, urial"):
        find_collection("../urial")
    assert MANIFESTS.is_relative_to(ROOT)


COPIES = ROOT.parent / "shared" / "reference" / "data" / "urial"


@pytest.mark.skipif(not COPIES.is_dir(), reason="the authors' files are not part of the project")
@pytest.mark.parametrize("collection", list_collections(), ids=lambda collection: collection.name)
def test_the_manifests_name_the_authors_files(collection: Collection, tmp_path: Path) -> None:
    server = Server()
    try:
        for file in collection.files:
            data = (COPIES / file.name).read_bytes()
            if file.blob:
                assert hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == file.blob
            server.files[path_at(server, collection, file)] = data
        listed = replace(collection, folders=())
        outcomes = list(fetch(listed, tmp_path, mirror=server.url, pause=0.0))
    finally:
        server.close()
    assert {outcome.state for outcome in outcomes} == {"fetched"}
    for outcome in outcomes:
        assert outcome.file is not None
        assert read_demo_file(outcome.path).text == (COPIES / outcome.file.name).read_text(encoding="utf-8")


# --- The command ----------------------------------------------------------------------------------


def tandem(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "playground", "fetch", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_name_the_command_lists_what_there_is() -> None:
    result = tandem()
    assert (result.returncode, result.stderr) == (0, "")
    assert "urial: " in result.stdout
    assert "github.com/tml-epfl/icl-alignment" in result.stdout
    listed = json.loads(tandem("--json").stdout)
    assert [entry["name"] for entry in listed] == ["icl-alignment", "urial"]


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path: Path) -> None:
    for arguments, environment, status, said in (
        (["nothing"], {}, 2, "choose one of icl-alignment, urial"),
        (["urial"], {"TANDEM_MIRROR": "nowhere"}, 2, "TANDEM_MIRROR"),
        (["urial"], {"TANDEM_MIRROR": "http://host:port"}, 2, "TANDEM_MIRROR"),
        (["urial", "--data-dir", tmp_path], {"ALL_PROXY": "foo://x"}, 2, "ALL_PROXY"),
        (["urial", "--data-dir", tmp_path], {"SSL_CERT_FILE": "/none"}, 2, "SSL_CERT_FILE"),
        (["urial", "--data-dir", "data"], {}, 2, "--data-dir"),
        (["urial", "--data-dir", tmp_path], {"TANDEM_MIRROR": "http://127.0.0.1:9"}, 1, "cannot be reached"),
    ):
        result = tandem(*arguments, **environment)
        assert result.returncode == status, result.stderr
        assert result.stdout == ""
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        assert said in result.stderr


def test_the_command_names_the_sets_and_fails_for_what_it_could_not_get(
    server: Server, tmp_path: Path
) -> None:
    """Wrong bytes for all files but one that a person put there: a sentence each, and the status is 1."""
    collection = find_collection("icl-alignment")
    for file in collection.files:
        server.files[path_at(server, collection, file)] = b"not theirs"
    mine = tmp_path / "demos" / collection.files[0].name
    mine.parent.mkdir()
    mine.write_text("My own instruction.\n")
    result = tandem("icl-alignment", "--data-dir", tmp_path, TANDEM_MIRROR=server.url)
    assert result.returncode == 1
    *listed, folders = result.stderr.splitlines()
    assert len(listed) == len(collection.files) - 1
    assert "the repository of commit cd779a7" in folders
    assert "SHA-256" in result.stderr.splitlines()[0]
    assert result.stdout.splitlines() == [
        f"kept an existing file that differs: {mine}",
        "Use these sets as demos=NAME: urial",
    ]
    assert names(mine.parent) == [mine.name]


def test_a_fetched_file_whose_name_is_taken_is_reported(server: Server, tmp_path: Path) -> None:
    """A set of the user's has the name already, under another file's name."""
    collection = find_collection("icl-alignment")
    mine = tmp_path / "demos" / "mine.toml"
    mine.parent.mkdir()
    mine.write_text('name = "urial"\ninstruction = "My own."\n')
    (mine.parent / "urial.txt").write_text("My other instruction.\n")
    result = tandem("icl-alignment", "--data-dir", tmp_path, "--json", TANDEM_MIRROR=server.url)
    assert result.returncode == 1
    rows = json.loads(result.stdout)["files"]
    assert [row["state"] for row in rows] == ["kept"] + ["failed"] * len(collection.files)
    assert [row["set"] for row in rows] == [None] * len(rows)
    assert "urial.txt: the name 'urial' is already used" in result.stderr


def test_a_disk_that_takes_no_more_is_one_sentence(server: Server, tmp_path: Path) -> None:
    """Past the limit on a file's size, a write fails as it does on a full disk."""
    resource = pytest.importorskip("resource")
    collection = find_collection("icl-alignment")
    for file in collection.files:
        server.files[path_at(server, collection, file)] = b"x" * file.size
    result = subprocess.run(
        [sys.executable, "-m", "playground", "fetch", "icl-alignment", "--data-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TANDEM_MIRROR": server.url, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Cannot write")
    assert "File too large" in result.stderr
    assert len(result.stderr.splitlines()) == 1
