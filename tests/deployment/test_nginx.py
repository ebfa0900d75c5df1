"""Tests for `deploy/nginx.conf`: nginx accepts it, and the page and its streams work through it."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.hardening.serving import DATA, Caller, Served, serving, within
from tests.helpers.browsing import Person
from tests.helpers.paths import ROOT
from tests.ui.server.test_guard import free_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
HOST = "tandem.example.org"

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed; scripts/debian.sh installs it")


def write_configuration(folder: Path, port: int, upstream: int) -> Path:
    """Write a whole configuration that includes the file, with the ports of this test."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert HOST in text
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace(
        "127.0.0.1:7860", f"127.0.0.1:{upstream}"
    )
    (folder / "tandem.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\ninclude {folder}/tandem.conf;\n}}\n",
        encoding="utf-8",
    )
    return whole


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("nginx")
    with serving(folder / "data", delay=0.05, public=True, proxies=1, hosts=(HOST,)) as served:
        port = free_port()
        configuration = write_configuration(folder, port, served.port)
        assert NGINX is not None
        command = [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        process = subprocess.Popen(command)
        served.url = f"http://127.0.0.1:{port}"
        try:
            assert within(10, lambda: _answers(served.url)), (folder / "error.log").read_text()
            yield served
        finally:
            process.terminate()
            process.wait(timeout=10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_the_page_is_served_under_its_host_name(proxied: Served) -> None:
    with httpx.Client(base_url=proxied.url, trust_env=False, headers={"host": HOST}) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "Tandem" in page.text
        # Gradio's frontend would otherwise ask the address behind nginx.
        assert f":{proxied.port}" not in client.get("/config").text
        refused = client.get("/", headers={"host": "elsewhere.example.org"})
        assert refused.status_code == 400


def test_answers_are_streamed_and_not_buffered(proxied: Served) -> None:
    caller = Caller(proxied, headers={"host": HOST})
    caller.client.get("/")
    caller.join("send", message="Count").raise_for_status()
    started = time.monotonic()
    times = []
    with caller.client.stream("GET", DATA, params={"session_hash": caller.session}) as stream:
        for line in stream.iter_lines():
            if '"process_generating"' in line:
                times.append(time.monotonic() - started)
            if len(times) == 10:
                break
    gaps = [after - before for before, after in itertools.pairwise(times)]
    # Updates arrive 8 to 10 times a second; from a buffer, many would arrive at once.
    assert sum(gap > 0.03 for gap in gaps) >= 7, gaps


def test_a_visitor_is_known_by_the_address_that_nginx_reports(proxied: Served) -> None:
    """What a client writes in X-Forwarded-For is not the last entry, which alone is trusted."""
    visitors: list[str] = []
    caller = Caller(proxied, headers={"host": HOST, "x-forwarded-for": "203.0.113.9"})
    caller.client.get("/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "playground.rate_limits.Gate._enter", lambda gate, visitor, count: visitors.append(visitor)
        )
        caller.join("send", message="hello").raise_for_status()
        assert within(10, lambda: bool(visitors))
    assert visitors == ["127.0.0.1"]


@pytest.mark.browser
def test_a_person_gets_answers_through_nginx(proxied: Served, browser: Browser) -> None:
    person = Person(browser, f"{proxied.url}/")
    person.send("Count")
    expect(person.status(0)).to_contain_text("writing")
    expect(person.page.locator("#chat-0")).to_contain_text("w5")
    person.page.click("#stop")
    person.finished()
    expect(person.status(0)).to_have_attribute("data-finish", "cancelled")
    person.close()
