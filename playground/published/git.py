"""Extract files from one commit of a remote repository, using git.

A commit id is a hash of the commit's entire content, so it is sufficient for verifying the received data. Git
checks every object. The installed git runs in a temporary folder, over HTTP only, and without the user's
settings, hooks, credentials or interactive prompts.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from playground.config import git_environment
from playground.words import format_byte_limit, format_number, format_time_limit

TIME = 300.0
"""Time limit for the complete download, in seconds."""
TRANSFER = 100_000_000
"""Maximum size of the temporary repository in bytes. Servers that do not support filters send all files in
the commit.
"""
FILES = 500
"""Maximum number of files to extract. No prompt collection contains this many files."""
REGULAR = ("100644", "100755")
"""Git file modes of regular files. Symbolic links, folders and submodules have other modes."""


class CommitError(Exception):
    """Raised when the files cannot be downloaded; the message gives the reason."""


class NoGitError(CommitError):
    """Raised when git is not installed on this machine."""


class _PassingError(CommitError):
    """Raised for temporary download failures, after which another attempt may succeed."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A regular file extracted from a commit."""

    path: str
    data: bytes | None
    """Content of the file; None if the file is larger than the maximum size."""
    size: int


def take(
    url: str,
    revision: str,
    folders: Sequence[str],
    suffix: str,
    largest: int,
    *,
    timeout: float,
    limit: float = TIME,
    attempts: int = 1,
    pause: float = 0.0,
) -> list[Taken]:
    """Return all regular files in a commit that are below `folders` and end in `suffix`, sorted by path.

    Args:
        url: HTTP URL of the repository.
        revision: the full commit id.
        largest: maximum file size in bytes; larger files are returned without their content.
        timeout: seconds without data after which a server is considered unresponsive.
        limit: total time limit for all attempts, in seconds.
        attempts: maximum number of attempts; only temporary failures are retried.
        pause: seconds to wait before the second attempt; doubled before the third.

    Raises:
        NoGitError: git is not installed.
        CommitError: the server does not have the commit, sends wrong data or too much data, or is too slow,
            or the commit has no matching files.
        OSError: a file cannot be written.
    """
    program = shutil.which("git")
    if program is None:
        raise NoGitError("git is not installed")
    end = time.monotonic() + limit
    for attempt in range(attempts):
        try:
            # Ignore cleanup errors: a virus scanner may still hold a file open.
            with tempfile.TemporaryDirectory(prefix="tandem-git-", ignore_cleanup_errors=True) as folder:
                repository = _Repository(program, Path(folder), url, revision, timeout, end, limit)
                return repository.take(folders, suffix, largest)
        except _PassingError:
            if attempt == attempts - 1:
                raise
            time.sleep(pause * (attempt + 1))
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Repository:
    """A temporary bare repository, with methods for downloading a commit and reading its files."""

    def __init__(
        self, program: str, folder: Path, url: str, revision: str, timeout: float, end: float, limit: float
    ) -> None:
        self.program = program
        self.folder = folder
        self.revision = revision
        self.end = end
        self.limit = limit
        parts = urlsplit(url)
        self.host = parts.hostname
        self.what = f"commit {revision[:7]} of {parts.path.strip('/').removesuffix('.git')}"
        self.settings = {
            "protocol.allow": "never",
            f"protocol.{parts.scheme}.allow": "always",
            "transfer.fsckObjects": "true",
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "credential.helper": "",
            "gc.auto": "0",
            "maintenance.auto": "false",
            "fetch.recurseSubmodules": "false",
            "http.lowSpeedLimit": "1",
            "http.lowSpeedTime": str(max(1, round(timeout))),
            "remote.origin.url": url,
        }

    def take(self, folders: Sequence[str], suffix: str, largest: int) -> list[Taken]:
        """Download the commit and return the requested files; see the module-level function `take`."""
        self._git("init", "--quiet", "--bare", "--template=", ".")
        # If the server supports filters, fetch the commit's tree first, and then only the requested files.
        self._fetch("--depth=1", self.revision)
        entries = self._entries(folders, suffix)
        if not entries:
            raise CommitError(
                f"There are no prompt files in {', '.join(folders)} at {self.what}. Please open an "
                "issue so that the manifest can be fixed."
            )
        if len(entries) > FILES:
            raise CommitError(
                f"Too many files at {self.what}: {format_number(len(entries))} files, but at most "
                f"{format_number(FILES)} are allowed."
            )
        self._fetch(*dict.fromkeys(entries.values()))
        names = "".join(f"{blob}\n" for blob in entries.values())
        sizes = self._git("cat-file", "--batch-check=%(objecttype) %(objectsize)", given=names.encode())
        taken = []
        for (path, blob), line in zip(entries.items(), sizes.decode().splitlines(), strict=True):
            kind, size = line.split()
            if kind != "blob":
                raise CommitError(f"{path} at {self.what} is a {kind}, not a file; nothing was downloaded.")
            data = self._git("cat-file", "blob", blob) if int(size) <= largest else None
            taken.append(Taken(path=path, data=data, size=int(size)))
        return taken

    def _entries(self, folders: Sequence[str], suffix: str) -> dict[str, str]:
        """Return the blob ids of all regular files in `folders` with the given suffix, keyed by path."""
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", self.revision, "--", *folders)
        entries = {}
        for row in listed.split(b"\0")[:-1]:
            about, _, raw = row.partition(b"\t")
            mode, _, blob = about.decode("ascii").split(" ")
            path = raw.decode("utf-8", "replace")
            if mode in REGULAR and PurePosixPath(path).suffix == suffix and ".." not in path.split("/"):
                entries[path] = blob
        return entries

    def _fetch(self, *what: str) -> None:
        self._git(
            "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
            "--filter=blob:none", "origin", *what,
        )  # fmt: skip

    def _git(self, *command: str, given: bytes = b"") -> bytes:
        """Run a git command and return its output.

        If the command exceeds the time limit or the size limit, kill the command and its child processes.
        """
        settings = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        with (
            tempfile.TemporaryFile() as into,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            into.write(given)
            into.seek(0)
            process = subprocess.Popen(
                [self.program, *settings, *command],
                cwd=self.folder,
                env=git_environment(self.folder),
                stdin=into,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                self._watch(process)
            finally:
                _end(process)
            if process.returncode != 0:
                err.seek(0)
                raise self._git_error(err.read(100_000).decode("utf-8", "replace"))
            out.seek(0)
            return out.read()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > self.end:
                raise CommitError(
                    f"Downloading {self.what} from {self.host} took longer than "
                    f"{format_time_limit(self.limit)}: run fetch again when the connection is better."
                )
            if _size(self.folder) > TRANSFER:
                raise CommitError(
                    f"Download of {self.what} from {self.host} cancelled: it exceeds "
                    f"{format_byte_limit(TRANSFER)}, far more than prompt files need. Please open an "
                    "issue so that the manifest can be fixed."
                )

    def _git_error(self, text: str) -> CommitError:
        """Convert the error output of a failed git command to an exception with a user-friendly message."""
        lines = [line.strip() for line in re.split(r"[\r\n]+", text.strip())]
        told = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        reason = (told or lines)[0] if text.strip() else "no error message"
        # Keep only the part after the URL, and replace control and non-ASCII characters.
        reason = re.sub(r"^(fatal|error): (unable to access '[^']*': )?", "", reason)
        reason = re.sub(r"[^\x20-\x7e]", "?", reason).strip(" .")[:200]
        if re.search("not our ref|unadvertised object|couldn't find remote ref", text):
            return CommitError(
                f"{self.host} does not have {self.what}: its authors have removed it. Please open an "
                "issue so that the manifest can be fixed."
            )
        if re.search("repository '.*' not found|could not read Username", text):
            return CommitError(
                f"{self.host} does not have the repository of {self.what}: its authors have removed "
                "it. Please open an issue so that the manifest can be fixed."
            )
        if re.search("fsck error|did not send all necessary|hash mismatch|SHA1 mismatch|bad object", text):
            return _PassingError(
                f"git rejected the data that {self.host} sent for {self.what} ({reason}). The data was "
                "discarded: run fetch again later, and open an issue if it keeps failing."
            )
        if re.search("Could not resolve|Failed to connect|Couldn't connect", text):
            return _PassingError(
                f"{self.host} cannot be reached ({reason}): check the connection and run fetch again."
            )
        return _PassingError(
            f"git cannot fetch {self.what} from {self.host} ({reason}): run fetch again later."
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command together with its child processes, which would otherwise keep downloading."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _size(folder: Path) -> int:
    """Return the total size of a folder's files in bytes, ignoring files that disappear during the scan."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # renamed or removed after it was listed
                continue
    return total
