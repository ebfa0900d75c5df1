"""Tests that the idle engine returns freed memory to the operating system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from playground.engine import Engine, local
from playground.engine.memory import POOLS
from playground.types import Prompt, Request, Sampling
from tests.helpers.waiting import until

FRAGMENT = """
import psutil, torch
from playground.engine.memory import release_freed_memory
def held(): return psutil.Process().memory_info().rss / 1e6
blocks, pins = [], []
for _ in range(3000):  # each block lies between two that stay
    blocks.append(torch.zeros(16_000)); pins.append(torch.zeros(64))
full = held()
blocks.clear()
before = held()
release_freed_memory()
print(full, before, held())
"""


THREADS = """
import ctypes, sys, threading
from playground.engine.memory import share_freed_memory
if sys.argv[1] == "shared":
    share_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_here = threading.Barrier(12)
def allocate():
    libc.malloc(1000)
    all_here.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc does this")


@glibc_only
def test_threads_share_few_pools_of_memory() -> None:
    def pools(how: str) -> int:
        run = subprocess.run([sys.executable, "-c", THREADS, how], capture_output=True, text=True, check=True)
        return run.stdout.count("<heap ")

    assert pools("their own") > POOLS
    assert pools("shared") == POOLS


@glibc_only
def test_memory_between_blocks_that_stay_is_given_back() -> None:
    run = subprocess.run([sys.executable, "-c", FRAGMENT], capture_output=True, text=True, check=True)
    full, before, after = map(float, run.stdout.split())
    assert before > full - 50, "the C library keeps what was freed"
    assert after < full - 120, "of 192 MB that were freed"


def test_the_engine_gives_memory_back_when_nothing_is_asked(
    tiny_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[int] = []
    monkeypatch.setattr(local, "IDLE", 0.01)
    monkeypatch.setattr(local, "release_freed_memory", lambda: released.append(1))
    list(tiny_engine.stream([Request(prompt=Prompt(text="Hello"), sampling=Sampling(max_new_tokens=2))]))
    until(lambda: released)
