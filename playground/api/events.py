"""Follow an engine's events in the server's event loop, and stop the engine when the client disconnects."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import closing, suppress
from typing import Any

from starlette.types import Receive

from playground.types import Event


async def follow(events: Generator[Event, None, None]) -> AsyncGenerator[Event, None]:
    """Yield the events of a generator that blocks, which is advanced in a thread of its own.

    Closing this generator closes `events` as soon as the engine reports its next event, which it does at
    least ten times per second. Generation then stops within one decoding step.
    """
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    stop = threading.Event()

    def put(item: Event | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has stopped
            loop.call_soon_threadsafe(inbox.put_nowait, item)

    def read() -> None:
        try:
            with closing(events):
                for event in events:
                    if stop.is_set():
                        return
                    put(event)
            put(None)
        except BaseException as error:
            put(error)

    # A daemon thread, so that an engine that hangs does not keep the program from exiting.
    threading.Thread(target=read, name="tandem-api", daemon=True).start()
    try:
        while (item := await inbox.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


async def run_until_disconnect(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, and cancel it if the client disconnects. The request's body must have been read."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for each in (task, watch):
            each.cancel()
        # Return only when the work has been cancelled, so that its limits are released.
        await asyncio.gather(task, watch, return_exceptions=True)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
