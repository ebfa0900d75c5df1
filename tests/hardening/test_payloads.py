"""Tests that no request payload makes the server fetch a URL or read a file that was not uploaded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hardening.serving import JOIN, UPLOAD, Caller, Canary, Served, serving

META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("plain")) as served:
        yield served


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("public"), public=True) as served:
        yield served


@pytest.fixture(scope="module")
def caller(plain: Served) -> Caller:
    return Caller(plain)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Gradio refuses private addresses itself; that check is lifted, so that loopback stands for a host."""
    import safehttpx

    monkeypatch.setattr(safehttpx, "is_public_ip", lambda ip: True)
    server = Canary()
    yield server
    server.end()


def test_the_canary_is_asked_when_gradio_downloads_a_file(canary: Canary, tmp_path: Path) -> None:
    """Otherwise the tests below would prove nothing."""
    from gradio.processing_utils import ssrf_protected_download

    ssrf_protected_download(f"{canary.url}/proof", str(tmp_path))
    assert canary.asked == ["/proof"]


def files(url: str) -> dict[str, object]:
    """Values that name a URL as a file, by what is special about them."""
    file = {"path": url, "meta": META}
    return {
        "plain": file,
        "with its own url": {**file, "url": url},
        "url alone": {"path": "", "url": url, "meta": META},
        "no meta": {"path": url},
        "meta with more": {"path": url, "meta": {**META, "x": 1}},
        "meta of another type": {"path": url, "meta": {"_type": "gradio.filedata"}},
        "meta that is a list": {"path": url, "meta": [META]},
        "path that is a list": {"path": [url], "meta": META},
        "type beside the path": {"path": url, "_type": "gradio.FileData"},
        "stream": {**file, "is_stream": True},
        "in a list": [file],
        "in lists": [[[file]]],
        "in an object": {"a": {"b": [file]}},
        "beside a text": ["text", file],
        "upper case": {"path": url.replace("http", "HTTP"), "meta": META},
        "local": {"path": "/etc/passwd", "meta": META},
        "way up": {"path": "/tmp/gradio/../../etc/passwd", "meta": META},
        "with a file inside": {"path": "x", "meta": META, "x": file},
    }


@pytest.mark.parametrize("who", ["plain", "public"])
def test_no_file_data_but_an_upload_gets_past_in_any_input_of_an_event(
    who: str, request: pytest.FixtureRequest, canary: Canary
) -> None:
    served: Served = request.getfixturevalue(who)
    caller = Caller(served)
    events = [caller.event("send"), caller.event("editor-import", "upload")]
    for what, value in files(f"{canary.url}/x").items():
        for event in events:
            for at, data in caller.spoil(event, value):
                answer = caller.client.post(JOIN, json=caller.body(event, data))
                assert answer.status_code == 422, (what, at, answer.text)
                assert answer.json()["detail"].count(". ") == 0
            answer = caller.client.post(JOIN, json=caller.body(event, event_data=value))
            assert answer.status_code == 422, what
            answer = caller.client.post(JOIN, json=caller.body(event, event_data={"a": value}))
            assert answer.status_code == 422, what
            answer = caller.client.post(JOIN, json={**caller.body(event), "more": value})
            assert answer.status_code == 422, what
    assert canary.asked == []
    assert served.engine.requests == []


PATHS = ["queue/join", "queue/join/", "run/predict", "run/predict/", "run/send", "call/send", "call/v2/send"]
PATHS += ["api/predict", "component_server", "component_server/", "cancel", "reset", "stream/x"]


@pytest.mark.parametrize("path", PATHS)
def test_no_endpoint_takes_a_url_for_a_file(plain: Served, caller: Caller, canary: Canary, path: str) -> None:
    event = caller.event("stop")
    file = {"path": f"{canary.url}/x", "meta": META}
    body = {
        **caller.body(event, [file] * len(event["inputs"])),
        "component_id": caller.component("message"),
        "fn_name": "x",
        "event_id": "x",
    }
    answer = caller.client.post(f"/gradio_api/{path}", json=body)
    assert answer.status_code in (307, 404, 422), answer.text
    assert canary.asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_address_of_the_page_passes_a_url_on(caller: Caller, canary: Canary, method: str) -> None:
    paths = ("file={}", "file={}/", "proxy={}", "file/{}", "/file={}", "heartbeat/x/../file={}", "stream/{}")
    for url in (canary.url, canary.url.replace("http", "HTTP"), canary.url.replace(":", "%3A")):
        for path in paths:
            answer = caller.client.request(method, f"/gradio_api/{path.format(url)}")
            assert answer.status_code in (403, 404, 422), path
        for path in ("assets", "static", "svelte"):
            answer = caller.client.request(method, f"/{path}/{url}")
            assert answer.status_code in (403, 404, 405), path
    assert canary.asked == []


def disguised(text: str) -> dict[str, tuple[bytes, dict[str, str]]]:
    """One JSON text as bodies that some server reads as JSON: (body, headers)."""
    json_type = {"content-type": "application/json"}
    twice = text.replace('"data":', '"data": [], "data":', 1)
    return {
        "utf-16": (text.encode("utf-16"), json_type),
        "utf-16 without mark": (text.encode("utf-16-le"), json_type),
        "utf-32": (text.encode("utf-32"), json_type),
        "utf-8 with mark": (text.encode("utf-8-sig"), json_type),
        "latin-1": (text.replace("}", ', "\xe9": 1}', 1).encode("latin-1"), json_type),
        "utf-7": (text.encode("utf-7"), {"content-type": "application/json; charset=utf-7"}),
        "gzip": (gzip.compress(text.encode()), {**json_type, "content-encoding": "gzip"}),
        "gzip in name": (text.encode(), {**json_type, "content-encoding": "gzip"}),
        "text": (text.encode(), {"content-type": "text/plain"}),
        "no type": (text.encode(), {}),
        "form": (text.encode(), {"content-type": "application/x-www-form-urlencoded"}),
        "multipart": (text.encode(), {"content-type": "multipart/form-data; boundary=x"}),
        "json in a suffix": (text.encode(), {"content-type": "application/x+json"}),
        "key twice": (twice.encode(), json_type),
        "key twice by escape": (text.replace('"path"', '"path": "a", "p\\u0061th"').encode(), json_type),
        "NaN": (text.replace("null", "NaN", 1).encode(), json_type),
        "two objects": (text.encode() * 2, json_type),
        "a list": (f"[{text}]".encode(), json_type),
        "nothing": (b"", json_type),
        "deep": (b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}", json_type),
        "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, json_type),
        "a long number": (b'{"fn_index": ' + b"9" * 10_000 + b"}", json_type),
    }


def test_bodies_that_two_parsers_could_read_in_two_ways_are_refused(
    plain: Served, caller: Caller, canary: Canary, capfd: pytest.CaptureFixture[str]
) -> None:
    event = caller.event("editor-import", "upload")
    file = {"path": f"{canary.url}/x", "meta": META}
    data = caller.data(event, editor_import=file)
    text = json.dumps(caller.body(event, data))
    for what, (body, headers) in disguised(text).items():
        for path in (JOIN, "/gradio_api/run/predict", "/gradio_api/cancel"):
            answer = caller.client.post(path, content=body, headers=headers)
            assert answer.status_code in (400, 415, 422), (what, answer.text)
            assert "detail" in answer.json(), what
    assert canary.asked == []
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


def test_values_of_the_wrong_type_are_refused_and_the_input_is_named(caller: Caller) -> None:
    event = caller.event("send")
    wrong = {"message": 5, "temperature": "hot", "new_seed": "yes", "seed": [1], "mode": {"a": 1}, "k_0": []}
    for name, value in wrong.items():
        data = caller.data(event, **{name: value})
        answer = caller.client.post(JOIN, json=caller.body(event, data))
        assert answer.status_code == 422, name
        assert name.replace("_", "-") in answer.json()["detail"]
    changes: list[dict[str, Any]] = [
        {"data": []},
        {"data": caller.data(event) * 2},
        {"data": {"a": 1}},
        {"fn_index": 10**6},
        {"fn_index": True},
        {"fn_index": None},
        {"fn_index": -1},
        {"session_hash": None},
        {"session_hash": "a/b"},
        {"session_hash": "x" * 101},
        {"batched": True},
        {"simple_format": True},
        {"trigger_id": "x"},
    ]
    for change in changes:
        answer = caller.client.post(JOIN, json={**caller.body(event), **change})
        assert answer.status_code == 422, change
    data = caller.data(event, temperature="1")
    huge = json.dumps(caller.body(event, data)).replace('"1"', "1e999")
    answer = caller.client.post(JOIN, content=huge, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_an_uploaded_file_is_read_for_who_uploaded_it_only(plain: Served, caller: Caller) -> None:
    text = b"# Query:\n```\nWhere is Lyon?\n```\n\n# Answer:\n```\nIn France.\n```\n"
    (path,) = caller.client.post(UPLOAD, files={"files": ("set.txt", text)}).json()
    event = caller.event("editor-import", "upload")
    file = {"path": path, "orig_name": "set.txt", "size": len(text), "meta": META}
    for url in (None, f"{plain.url}/gradio_api/file={path}", f"/gradio_api/file={path}"):
        data = caller.data(event, editor_import={**file, "url": url})
        assert caller.client.post(JOIN, json=caller.body(event, data)).status_code == 200
        answer = next(m for m in caller.messages() if m["msg"] == "process_completed")
        assert answer["success"]
        assert "Lyon" in json.dumps(answer["output"])

    changes: list[dict[str, Any]] = [
        {"url": f"http://foreign.example/gradio_api/file={path}"},
        {"url": "http://foreign.example/"},
        {"url": f"ftp://127.0.0.1:{plain.port}/gradio_api/file={path}"},
        {"url": ["x"]},
        {"is_stream": True},
        {"path": f"{path}/../set.txt"},
        {"meta": {}},
    ]
    for change in changes:
        data = caller.data(event, editor_import={**file, **change})
        refused = caller.client.post(JOIN, json=caller.body(event, data))
        assert refused.status_code == 422, change
    data = caller.data(caller.event("send"), message=file)
    assert caller.client.post(JOIN, json=caller.body(caller.event("send"), data)).status_code == 422

    other = Caller(plain, config=caller.config)
    for someone in (other, Caller(plain, cookies=False, config=caller.config)):
        data = someone.data(event, editor_import=file)
        refused = someone.client.post(JOIN, json=someone.body(event, data))
        assert refused.status_code == 422
        assert "Only files that you uploaded" in refused.json()["detail"]
