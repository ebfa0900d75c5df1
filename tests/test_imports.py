"""Tests for import rules: which modules may use each dependency, and lazy imports of heavy packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PLAYGROUND = ROOT / "playground"

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "gradio",
    "openai",
    "bm25s",
    "numpy",
    "huggingface_hub",
}


def loaded_by(module: str) -> set[str]:
    """The top-level packages that importing `module` in a fresh Python brings in."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PLAYGROUND.parent
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "playground.types",
        "playground.config",
        "playground.rate_limits",
        "playground.library",
        "playground.demonstrations.families",
        "playground.demonstrations.ablations",
        "playground.demonstrations.files",
        "playground.aligners.raw",
        "playground.aligners.urial",
        "playground.engine",
        "playground.engine.text",
        "playground.engine.scripted",
        "playground.engine.hub",
        "playground.engine.remote",
        "playground.store",
        "playground.streams",
        "playground.session",
        "playground.start",
        "playground.serve",
        "playground.cli.main",
        "playground.model_switch",
        "playground.lanes.recipe",
        "playground.ui.html.labels",
        "playground.ui.html.model",
        "playground.ui.server.middleware",
        "playground.ui.server.payloads",
        "playground.ui.server.sessions",
        "playground.ui.server.logins",
        "playground.ui.server.faults",
        "playground.ui.html.diff",
        "playground.ui.html.markdown",
        "playground.ui.page.link",
        "playground.ui.html.probes",
        "playground.ui.dialogs.shortcuts",
        "playground.ui.html.prompt",
        "playground.ui.html.conversation",
        "playground.demonstrations.draft",
        "playground.library.probes",
        "playground.published.fetch",
        "playground.published.git",
        "playground.library.presets",
        "playground.engine.hub.cache",
        "playground.ui.html.presets",
        "playground.judging.service",
        "playground.judging.client",
        "playground.api.app",
        "playground.ui.server.api_mount",
    ],
)
def test_it_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(module) & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    [
        "playground.types",
        "playground.config",
        "playground.rate_limits",
        "playground.library",
        "playground.files",
        "playground.memory",
        "playground.library.presets",
        "playground.demonstrations.families",
        "playground.demonstrations.ablations",
        "playground.demonstrations.files",
        "playground.context_fit",
        "playground.demonstrations.draft",
        "playground.library.probes",
        "playground.checks",
        "playground.diff",
        "playground.engine.text",
        "playground.secret",
        "playground.servers.address",
        "playground.servers.errors",
        "playground.strict_json",
        "playground.terminal",
        "playground.published.git",
        "playground.rubrics.rubric",
        "playground.rubrics.fastchat",
        "playground.judging.parse.reply",
        "playground.judging.reference",
        "playground.judging.verdicts",
    ],
)
def test_it_stands_on_the_standard_library_alone(module: str) -> None:
    outside = loaded_by(module) - set(sys.stdlib_module_names) - loaded_by("json") - {"playground"}
    assert {name for name in outside if not name.startswith("_")} == set()


def imports(path: Path) -> set[str]:
    """The top-level packages that a file names in its import statements."""
    import ast

    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


PLACES = {
    "bm25s": ["demonstrations/retrieval.py"],
    "openai": [
        "engine/remote/chat.py",
        "engine/remote/connection.py",
        "engine/remote/discovery.py",
        "engine/remote/failures.py",
        "engine/remote/isolation.py",
        "engine/remote/rows.py",
        "engine/remote/tokens.py",
        "engine/remote/transport.py",
        "judging/client/__init__.py",
        "judging/client/completion.py",
    ],
    "sqlite3": [
        "store/conflicts.py",
        "store/conversations.py",
        "store/database.py",
        "store/migrations.py",
        "store/repair.py",
        "store/verdicts.py",
    ],
    "jinja2": ["templates/__init__.py", "templates/sandbox.py"],
    "huggingface_hub": ["engine/hub/__init__.py", "engine/hub/cache.py", "engine/hub/transfer.py"],
    "httpx": ["engine/remote/transport.py", "published/download.py"],
    "subprocess": ["engine/adapters/patterns.py", "published/git.py"],
    "httpx2": [
        "engine/hub/__init__.py",
        "engine/hub/transfer.py",
        "engine/remote/failures.py",
        "engine/remote/transport.py",
        "judging/client/transport.py",
    ],
    "typer": [
        f"cli/{name}.py"
        for name in (
            "bench",
            "chat",
            "command",
            "doctor",
            "exits",
            "fetch",
            "history",
            "judge",
            "main",
            "options",
            "prompt",
        )
    ],
}


@pytest.mark.parametrize("package", ["torch", "peft", "bitsandbytes", "gguf", "spaces"])
def test_what_runs_models_is_imported_in_the_engine_only(package: str) -> None:
    users = {path for path in PLAYGROUND.rglob("*.py") if package in imports(path)}
    assert users - set((PLAYGROUND / "engine").rglob("*.py")) == set()


@pytest.mark.parametrize("package", PLACES)
def test_an_outside_package_is_imported_in_its_place_only(package: str) -> None:
    files = sorted(PLAYGROUND.rglob("*.py"))
    users = [str(path.relative_to(PLAYGROUND)) for path in files if package in imports(path)]
    assert users == PLACES[package]


def test_gradio_is_imported_in_the_page_only_and_not_by_what_draws_values() -> None:
    for path in PLAYGROUND.rglob("*.py"):
        if "gradio" in imports(path):
            assert PLAYGROUND / "ui" in path.parents
            assert path.parent.name != "html"
            assert path.name not in (
                "middleware.py",
                "payloads.py",
                "visitors.py",
                "sessions.py",
            )


def test_the_environment_is_read_in_one_place() -> None:
    for path in PLAYGROUND.rglob("*.py"):
        if path.name != "config.py":
            text = path.read_text(encoding="utf-8")
            assert "os.environ" not in text, path
            assert "getenv" not in text, path
