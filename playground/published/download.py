"""Download a file over HTTPS, retrying and resuming interrupted downloads."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx

from playground.published.local_files import FileFailedError, hash_file, put_in_place
from playground.published.manifest import Published
from playground.types import InputError, OutsideError
from playground.words import format_number

ATTEMPTS = 3
"""Maximum number of requests per file. Each request resumes after the bytes already received."""
PAUSE = 1.0
"""Seconds to wait before the second attempt; doubled before the third."""
TIMEOUT = 20.0
"""Seconds without data after which a server is considered unresponsive."""


def open_client(timeout: float) -> httpx.Client:
    try:
        return httpx.Client(timeout=timeout, follow_redirects=True)
    except (ImportError, ValueError, OSError) as error:
        raise InputError(
            "The proxy or the certificates set in the environment cannot be used "
            f"({_reason(error)}): correct HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE, or unset them."
        ) from error


class _BrokenOffError(Exception):
    """Raised when the server fails or sends an incomplete response."""


def download(client: httpx.Client, url: str, path: Path, file: Published, pause: float) -> None:
    """Download a file to `path`, using up to `ATTEMPTS` requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * attempt)
        received = part.stat().st_size if part.exists() else 0
        try:
            if received < file.size:
                _receive(client, url, part, received, file)
        except (_BrokenOffError, httpx.HTTPError) as error:
            if attempt < ATTEMPTS - 1:
                continue
            raise _explain(error, url, file) from error
        if hash_file(part) == file.sha256:
            put_in_place(part, path)
            return
        part.unlink()
        # Data from earlier partial downloads may be wrong, so retry unless the file was sent in one response.
        if not received:
            break
    raise FileFailedError(
        f"Discarded {file.name}: the file sent by {httpx.URL(url).host} does not match the SHA-256 in the "
        "manifest. Run fetch again later, and open an issue if it keeps failing."
    )


def _receive(client: httpx.Client, url: str, part: Path, received: int, file: Published) -> None:
    """Download the missing bytes of a file and append them to `part`, up to the expected size.

    Raises:
        FileFailedError: the server does not have the file, or rejects the request.
        _BrokenOffError: the server failed or sent an incomplete response.
    """
    # Disable compression, so that a later request can resume at a byte offset.
    headers = {"Accept-Encoding": "identity"}
    if file.blob is not None:
        headers["Accept"] = "application/vnd.github.raw+json"  # the file content, not JSON metadata
    if received:
        headers["Range"] = f"bytes={received}-"
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code in (403, 429):
            raise FileFailedError(
                f"{file.name}: {response.url.host} rejected the request (HTTP {response.status_code}), "
                "probably because of its rate limit: run fetch again in an hour."
            )
        if response.status_code == 416:
            part.unlink(missing_ok=True)
        if response.status_code == 416 or response.status_code >= 500:
            raise _BrokenOffError(f"returned an error (HTTP {response.status_code})")
        if response.status_code not in (200, 206):
            raise FileFailedError(
                f"{file.name} was not found at {response.url} (HTTP {response.status_code}): its authors "
                "have removed it. Please open an issue so that the manifest can be fixed."
            )
        append = response.status_code == 206 and received > 0
        size = received if append else 0
        with part.open("ab" if append else "wb") as stream:
            for chunk in response.iter_bytes():
                size += len(chunk)
                stream.write(chunk)
                stream.flush()
                if size > file.size:
                    return
        # If the response has a Content-Length header, httpx itself raises an error when it is truncated.
        announces_length = {"content-length", "transfer-encoding"} & set(response.headers)
    if size < file.size and not announces_length:
        raise _BrokenOffError(f"sent only {format_number(size)} of {format_number(file.size)} bytes")


def _explain(error: Exception, url: str, file: Published) -> Exception:
    """Return the error to raise after the last attempt: an OutsideError if the server cannot be reached, else
    a FileFailedError.
    """
    host = httpx.URL(url).host
    again = "run fetch again later to resume the download."
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return OutsideError(
            f"{host} cannot be reached ({_reason(error)}): check the connection, then run fetch again to "
            "resume the download."
        )
    if isinstance(error, httpx.TimeoutException):
        return FileFailedError(f"{file.name}: {host} stopped sending data; {again}")
    if isinstance(error, _BrokenOffError):
        return FileFailedError(f"{file.name}: {host} {error}; {again}")
    return FileFailedError(f"{file.name}: the connection to {host} was lost ({_reason(error)}); {again}")


def _reason(error: Exception) -> str:
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).strip().rstrip(".") or type(error).__name__
