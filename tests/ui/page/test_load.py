"""Tests that a page loads correctly, whatever the order in which responses arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.page_events import list_events
from tests.hardening.serving import JOIN, Caller, Event, serving


def call(caller: Caller, event: Event, address: str = "") -> list[Any]:
    """What an event's handler gives, on a page of this address."""
    joined = caller.client.post(JOIN + address, json=caller.body(event))
    joined.raise_for_status()
    id = joined.json()["event_id"]
    message = next(m for m in caller.messages() if m["msg"] == "process_completed" and m["event_id"] == id)
    assert message["success"]
    data: list[Any] = message["output"]["data"]
    return data


def test_a_description_of_the_lanes_never_replaces_the_conversation_that_is_loaded(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        caller = Caller(served)
        caller.send("hello")
        (id,) = [entry.id for entry in served.session.store.summaries()]
        page = Caller(served, config=caller.config)
        page.client.cookies = caller.client.cookies
        live = [page.component(f"live-{lane}") for lane in (0, 1)]
        events = {
            kind: next(d for d in list_events(page.config) if any(t[1] == kind for t in d["triggers"]))
            for kind in ("tick", "load")
        }
        drawn = {}
        for kind in ("tick", "load", "tick again"):
            event = events[kind.split()[0]]
            values = dict(zip(event["outputs"], call(page, event, f"?c={id}"), strict=True))
            drawn[kind] = [values[number] for number in live]
        assert "hello" in str(drawn["load"])
        for kind in ("tick", "tick again"):
            assert all(value in (None, {"__type__": "update"}) for value in drawn[kind]), drawn[kind]


def test_a_message_goes_to_the_conversation_on_the_page_though_the_server_was_started_again(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as served:
        Caller(served).send("hello")
        (id,) = [entry.id for entry in served.session.store.summaries()]
    with serving(tmp_path) as served:
        page = Caller(served)  # which has not loaded: it was loaded from the server before
        assert page.send("again", address=id)["success"]
        assert [turn.user for turn in served.session.store.load(id).turns] == ["hello", "again"]
        # The same for one that was loaded just now, whose address says so, and its load that comes later.
        page = Caller(served)
        send = page.event("send")
        joined = page.client.post(f"{JOIN}?c={id}", json=page.body(send, page.data(send, message="at once")))
        joined.raise_for_status()
        assert next(m for m in page.messages() if m["msg"] == "process_completed")["success"]
        assert [turn.user for turn in served.session.store.load(id).turns] == ["hello", "again", "at once"]
        load = next(d for d in list_events(page.config) if any(t[1] == "load" for t in d["triggers"]))
        assert "at once" in str(call(page, load, f"?c={id}"))
        other = Caller(served)
        assert "There is no conversation" in other.send("hello", address="nowhere")["said"]
        assert len(served.session.store.summaries()) == 1
        # A page that has loaded knows better than its address, which follows late.
        call(other, load)
        assert other.send("new", address=id)["success"]
        assert len(served.session.store.summaries()) == 2
