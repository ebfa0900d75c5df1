"""Fixtures: servers of judge models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.judge_models import Serve
from tests.helpers.judge_server import Behave, JudgeServer


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    servers: list[JudgeServer] = []

    def start(behave: Behave) -> JudgeServer:
        servers.append(JudgeServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.end()
