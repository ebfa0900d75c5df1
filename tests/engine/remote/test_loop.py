"""The event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import anyio
import pytest

from playground.engine.remote.loop import CLOSED, LoopThread
from playground.types import OutsideError
from tests.helpers.waiting import until


def test_closing_ends_a_connection_that_is_just_being_opened() -> None:
    opening, closing, ended = threading.Event(), threading.Event(), threading.Event()

    async def connect() -> None:
        try:
            async with anyio.create_task_group() as group:
                opening.set()
                closing.wait(20)
                await asyncio.sleep(0)  # the loop stops after this round
                group.start_soon(anyio.sleep, 60)
        finally:
            ended.set()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        loop = LoopThread()
        work = loop.start(connect())
        assert opening.wait(20)
        closer = threading.Thread(target=loop.close)
        closer.start()
        until(lambda: loop.closed)
        closing.set()
        closer.join()
        assert ended.is_set()
        assert work.cancelled()
        gc.collect()
    assert [str(each.message) for each in warned if "never awaited" in str(each.message)] == []


def test_nothing_starts_once_it_is_closed() -> None:
    async def work() -> None:
        raise AssertionError

    loop = LoopThread()
    loop.close()
    loop.close()
    with pytest.raises(OutsideError) as raised:
        loop.start(work()).result(timeout=20)
    assert str(raised.value) == CLOSED
