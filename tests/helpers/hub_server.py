"""Serve local folders over a socket with the API of the Hugging Face Hub.

The server supports listing and downloading models with `huggingface_hub`, and returns the Hub's status codes
and error headers. `use_hub` makes `huggingface_hub` use this server.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gguf", ".h5", ".onnx", ".msgpack", ".pt", ".model")
"""Suffixes of LFS files: their ETag is a SHA-256, and downloads are redirected to another host."""
TOKEN = "hf_that_has_access"
"""Token with access to gated and private repositories. Other hf_ tokens are valid but lack access."""
PIECE = 64_000
"""Number of bytes sent at a time if `HubServer.pause` is set."""


@dataclass
class Repository:
    """A repository with its revisions and access rules."""

    revisions: dict[str, Path]
    """Maps each branch or tag to a local folder."""
    gated: bool = False
    """Whether downloading files requires a token with access; listing them does not."""
    private: bool = False
    """Whether the repository is reported as missing to clients without access."""

    def commit(self, revision: str) -> str | None:
        """Return the commit id of a branch, tag or commit; None if it does not exist."""
        for name, folder in self.revisions.items():
            if revision in (name, _commit(folder)):
                return _commit(folder)
        return None

    def folder(self, commit: str) -> Path:
        return next(folder for folder in self.revisions.values() if _commit(folder) == commit)


class HubServer(ThreadingHTTPServer):
    """Local Hub server. All attributes can be changed while the server is running."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, path and Range header of every request, in order."""
        self.sent: dict[str, int] = {}
        """Number of bytes sent for each file, by its path in the repository."""
        self.pause = 0.0
        """Seconds to wait between two pieces of a file."""
        self.cut_after: int | None = None
        """Number of bytes of a file to send before closing the connection; None to send the whole file."""
        self.before_piece: Callable[[str], None] | None = None
        """Callback invoked with the file's path before each piece is sent. May block the request's thread."""
        self.on_request: Callable[[str, Any], None] | None = None
        """Callback invoked with the path and headers of each request."""
        self.down = False
        """Whether to answer every request with status 503."""

    def add(
        self,
        id: str,
        folder: Path,
        *,
        gated: bool = False,
        private: bool = False,
        revisions: dict[str, Path] | None = None,
    ) -> Repository:
        """Add a repository with `folder` as its main branch and `revisions` as its other branches or tags."""
        repository = Repository({"main": folder, **(revisions or {})}, gated=gated, private=private)
        self.repositories[id] = repository
        return repository

    def downloaded(self) -> list[str]:
        """Return the sorted paths of all files whose content was requested."""
        return sorted(self.sent)


@dataclass
class _RefusedError(Exception):
    status: int
    code: str | None
    message: str
    headers: dict[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        if self.server.on_request is not None:
            self.server.on_request(self.path, self.headers)
        path = urlsplit(self.path).path
        try:
            if self.server.down:
                raise _RefusedError(503, None, "Service Unavailable")
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                self._info(match[1], unquote(match[2] or "main"))
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
                self._tree(match[1], unquote(match[2]))
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(match[1], unquote(match[2]), unquote(match[3]))
            elif match := re.fullmatch(r"/storage/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path):
                name = unquote(match[3])
                self._content(self.server.repositories[match[1]].folder(match[2]) / name, name, {})
            else:
                raise _RefusedError(404, None, "Not Found")
        except _RefusedError as refusal:
            headers = {"X-Error-Message": refusal.message, **refusal.headers}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            self._send_json({"error": refusal.message}, refusal.status, headers)
        except OSError:
            self.close_connection = True  # the client has disconnected

    # --- Access -----------------------------------------------------------------------------------

    def _token(self) -> str | None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if given and not given.startswith("hf_"):
            raise _RefusedError(401, None, "Invalid credentials in Authorization header")
        return given or None

    def _find(self, id: str, revision: str) -> tuple[Repository, str]:
        token = self._token()
        repository = self.server.repositories.get(id)
        if repository is None or (repository.private and token != TOKEN):
            # Without a token, private repositories are indistinguishable from missing ones.
            raise _RefusedError(404 if token else 401, "RepoNotFound", "Repository not found")
        commit = repository.commit(revision)
        if commit is None:
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, commit

    # --- Responses --------------------------------------------------------------------------------

    def _info(self, id: str, revision: str) -> None:
        repository, commit = self._find(id, revision)
        files = [{"rfilename": name} for name in _files(repository.folder(commit))]
        gated = "manual" if repository.gated else False
        self._send_json(
            {"id": id, "sha": commit, "private": repository.private, "gated": gated, "siblings": files}
        )

    def _tree(self, id: str, revision: str) -> None:
        repository, commit = self._find(id, revision)
        entries: list[dict[str, Any]] = []
        for name, path in _files(repository.folder(commit)).items():
            entry: dict[str, Any] = {"type": "file", "path": name, "size": path.stat().st_size}
            entry["oid"] = _digest(path, "sha1")
            if path.suffix in LARGE:
                sha = _digest(path, "sha256")
                entry["lfs"] = {"oid": sha, "size": entry["size"], "pointerSize": 134}
            entries.append(entry)
        self._send_json(entries)

    def _resolve(self, id: str, revision: str, name: str) -> None:
        repository, commit = self._find(id, revision)
        if repository.gated and (token := self._token()) != TOKEN:
            raise _RefusedError(403 if token else 401, "GatedRepo", f"Access to model {id} is restricted.")
        path = repository.folder(commit) / name
        if name not in _files(repository.folder(commit)):
            raise _RefusedError(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
        if path.suffix not in LARGE:
            self._content(path, name, {"X-Repo-Commit": commit, "ETag": f'"{_digest(path, "sha1")}"'})
            return
        sha = _digest(path, "sha256")
        self.send_response(302)
        for header, value in {
            "X-Repo-Commit": commit,
            "X-Linked-ETag": f'"{sha}"',
            "X-Linked-Size": str(path.stat().st_size),
            # Redirect to another host, as the Hub does. Metadata requests do not follow this redirect.
            "Location": f"http://localhost:{self.server.server_port}/storage/{id}/{commit}/{name}",
            "Content-Length": "0",
        }.items():
            self.send_header(header, value)
        self.end_headers()

    def _content(self, path: Path, name: str, headers: dict[str, str]) -> None:
        size = path.stat().st_size
        start, end = 0, size - 1
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(match[1]), int(match[2] or end)
        partial = "Range" in self.headers
        if partial and start >= size:
            raise _RefusedError(416, None, "Range Not Satisfiable", {"Content-Range": f"bytes */{size}"})
        self.send_response(206 if partial else 200)
        headers = {"Accept-Ranges": "bytes", **headers, "Content-Length": str(end - start + 1)}
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self._send_bytes(path, name, start, end + 1)

    def _send_bytes(self, path: Path, name: str, start: int, end: int) -> None:
        server, gone = self.server, 0
        server.sent.setdefault(name, 0)
        slow = server.pause or server.before_piece or server.cut_after is not None
        piece = PIECE if slow else 1 << 20
        with path.open("rb") as file:
            file.seek(start)
            while start + gone < end:
                if server.cut_after is not None and gone >= server.cut_after:
                    self.close_connection = True
                    return
                if server.before_piece is not None:
                    server.before_piece(name)
                data = file.read(min(piece, end - start - gone))
                self.wfile.write(data)
                gone += len(data)
                server.sent[name] += len(data)
                time.sleep(server.pause)

    def _send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path, kind: str) -> str:
    stat = path.stat()
    return _digest_of(path, kind, stat.st_size, stat.st_mtime_ns)


@cache
def _digest_of(path: Path, kind: str, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _commit(folder: Path) -> str:
    listing = "".join(f"{name} {_digest(path, 'sha1')}\n" for name, path in _files(folder).items())
    return hashlib.sha1(listing.encode()).hexdigest()


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Start a Hub server without repositories; it is closed on exit."""
    hub = HubServer()
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


def use_hub(monkeypatch: Any, hub: HubServer | None, cache_folder: Path, token: str | None = None) -> None:
    """Make `huggingface_hub` use a server and a separate cache folder in this process.

    Args:
        monkeypatch: pytest's fixture, or an object with the same `setattr`, `setenv` and `delenv` methods.
        hub: the server; None to simulate a machine without network access.
        cache_folder: folder for downloads, created when needed.
        token: value of HF_TOKEN; None to unset the variable.
    """
    from huggingface_hub import constants

    address = hub.address if hub else "http://127.0.0.1:9"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", hub is None)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache_folder))
    # Never read the developer's own token file.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache_folder / "no-token"))
    if token is None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    else:
        monkeypatch.setenv("HF_TOKEN", token)
