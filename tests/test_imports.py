"""Who may import what: each outside thing in its place, heavy ones only where they are used."""

import subprocess
import sys
from pathlib import Path

import pytest

PLAYGROUND = Path(__file__).resolve().parent.parent / "playground"

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
        "playground.limits",
        "playground.library",
        "playground.demos",
        "playground.ablations",
        "playground.demo_files",
        "playground.aligners.raw",
        "playground.aligners.urial",
        "playground.engine",
        "playground.engine.text",
        "playground.engine.scripted",
        "playground.engine.hub",
        "playground.store",
        "playground.streams",
        "playground.session",
        "playground.start",
        "playground.changeover",
        "playground.ui.recipe",
        "playground.ui.render",
        "playground.ui.render_model",
        "playground.ui.guard",
        "playground.ui.payloads",
        "playground.ui.page_sessions",
        "playground.ui.logins",
        "playground.ui.faults",
        "playground.ui.render_diff",
        "playground.ui.markdown",
        "playground.ui.link",
        "playground.ui.render_probes",
        "playground.ui.shortcuts",
        "playground.ui.render_prompt",
        "playground.ui.render_talk",
        "playground.workbench",
        "playground.probes",
        "playground.fetch",
        "playground.commits",
        "playground.presets",
        "playground.engine.hub_cache",
        "playground.ui.render_presets",
        "playground.judging.judges",
        "playground.judging.client",
    ],
)
def test_it_loads_nothing_heavy(module):
    assert loaded_by(module) & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    [
        "playground.types",
        "playground.config",
        "playground.limits",
        "playground.library",
        "playground.files",
        "playground.memory",
        "playground.presets",
        "playground.demos",
        "playground.ablations",
        "playground.demo_files",
        "playground.budget",
        "playground.workbench",
        "playground.probes",
        "playground.checks",
        "playground.diff",
        "playground.engine.text",
        "playground.secret",
        "playground.terminal",
        "playground.commits",
        "playground.judging.rubrics",
        "playground.judging.fastchat",
        "playground.judging.parse",
        "playground.judging.reference",
        "playground.judging.verdicts",
    ],
)
def test_it_stands_on_the_standard_library_alone(module):
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
    "bm25s": ["retrieval.py"],
    "openai": ["judging/client.py", "judging/completion.py"],
    "sqlite3": ["record_repair.py", "store.py"],
    "jinja2": ["template_sandbox.py", "templates.py"],
    "huggingface_hub": ["engine/hub.py", "engine/hub_cache.py", "engine/transfer.py"],
    "httpx": ["fetch.py"],
    "subprocess": ["commits.py", "engine/adapter_patterns.py"],
    "httpx2": ["engine/hub.py", "engine/transfer.py", "judging/transport.py"],
    "typer": ["__main__.py"],
}


@pytest.mark.parametrize("package", ["torch", "peft", "bitsandbytes", "gguf"])
def test_what_runs_models_is_imported_in_the_engine_only(package):
    users = {path for path in PLAYGROUND.rglob("*.py") if package in imports(path)}
    assert users - set((PLAYGROUND / "engine").glob("*.py")) == set()


@pytest.mark.parametrize("package", PLACES)
def test_an_outside_package_is_imported_in_its_place_only(package):
    files = sorted(PLAYGROUND.rglob("*.py"))
    users = [str(path.relative_to(PLAYGROUND)) for path in files if package in imports(path)]
    assert users == PLACES[package]


def test_gradio_is_imported_in_the_page_only_and_not_by_what_draws_values():
    for path in PLAYGROUND.rglob("*.py"):
        if "gradio" in imports(path):
            assert path.parent == PLAYGROUND / "ui"
            assert path.name not in (
                "recipe.py",
                "guard.py",
                "payloads.py",
                "visitors.py",
                "page_sessions.py",
            )
            assert not path.name.startswith("render")


def test_the_environment_is_read_in_one_place():
    for path in PLAYGROUND.rglob("*.py"):
        if path.name != "config.py":
            text = path.read_text(encoding="utf-8")
            assert "os.environ" not in text, path
            assert "getenv" not in text, path
