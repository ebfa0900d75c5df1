"""Tests for docs/serving.md: its commands and flags exist, its table is what the simulation prints."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import servers
from benchmarks.sizing import Assumptions, render, report, simulate
from scripts.container import parse
from tests.helpers.checked import there
from tests.helpers.paths import ROOT
from tests.test_documents import FOREIGN, OTHER_PROGRAMS, read_fences, server, split_commands

SERVING = ROOT / "docs" / "serving.md"
TEXT = SERVING.read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(command)
    for fence in read_fences(SERVING)
    if fence.language == "sh"
    for command in split_commands(fence.text)
]
UNITS = ("tandem", "vllm")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def commands(*start: str) -> list[list[str]]:
    """The document's commands that begin with these words."""
    return [words for words in COMMANDS if words[: len(start)] == list(start)]


def flags(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def unit(name: str) -> dict[str, str]:
    """The settings of a systemd unit, with continued lines joined."""
    text = (ROOT / "deploy" / f"{name}.service").read_text(encoding="utf-8").replace("\\\n", " ")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_every_program_of_the_document_is_known() -> None:
    assert {words[0] for words in COMMANDS} <= {"python", *FOREIGN}


# --- The table ------------------------------------------------------------------------------------


def test_the_tables_are_what_the_simulation_prints() -> None:
    assumptions = Assumptions()
    loads = [simulate(people, assumptions, seed=0) for people in (10, 100, 1000)]
    for line in render(report(loads, assumptions)).splitlines():
        assert line in TEXT


def test_the_text_states_the_assumptions_of_the_simulation() -> None:
    (place,) = re.findall(r"These are its assumptions.*?left out", TEXT, re.DOTALL)
    words = " ".join(place.split())
    assumed = Assumptions()
    for sentence in (
        f"next message after {assumed.think_seconds:.0f} seconds on average",
        f"After {assumed.turns} turns",
        f"URIAL with {assumed.demonstration_tokens:,} tokens",
        f"A message has {assumed.message_tokens} tokens",
        f"a mean of {assumed.answer_tokens:.0f} tokens",
        f"standard deviation of the logarithm of {assumed.answer_spread}",
        f"a maximum of {assumed.answer_limit} tokens",
        f"after {assumed.first_token_seconds} seconds",
        f"by {assumed.row_speed:.0f} tokens per second",
    ):
        assert sentence in words
    assert (assumed.lanes, assumed.urial_lanes, assumed.hours, assumed.warm_up_seconds) == (3, 1, 1, 600)


# --- vLLM -----------------------------------------------------------------------------------------


@functools.cache
def vllm_help() -> str:
    if not servers.VLLM_PYTHON.exists():
        pytest.skip(f"vLLM is not installed; {servers.HOW_VLLM}")
    command = [str(servers.VLLM_PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--help=all"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def vllm_commands() -> list[list[str]]:
    """The arguments of every command that starts vLLM."""
    started = shlex.split(unit("vllm")["ExecStart"])
    return [
        *(words[2:] for words in commands("vllm", "serve")),
        started[2:],
        COMPOSE["services"]["vllm"]["command"],
    ]


@pytest.mark.slow
def test_vllm_has_the_flags_that_it_is_started_with() -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", vllm_help()))
    documented = {name for name, program in OTHER_PROGRAMS.items() if program == "vLLM"}
    assert set().union(*map(flags, vllm_commands())) | documented <= options


@pytest.mark.slow
def test_vllm_has_the_rank_and_the_backend_that_it_is_started_with() -> None:
    for name, value in (("--max-lora-rank", "64"), ("--distributed-executor-backend", "ray")):
        choices = there(re.search(rf"{name} [\[{{]([^\]}}]*)", vllm_help()))[1]
        assert value in re.split(r"[,'\s]+", choices)


def test_every_start_of_vllm_caches_prefixes_or_leaves_it_to_the_default() -> None:
    assert len(vllm_commands()) == 5
    assert all("--served-model-name" in flags(words) for words in vllm_commands())
    assert not any("--no-enable-prefix-caching" in words for words in vllm_commands())


@pytest.mark.parametrize("program", ["ray", "vllm-router"])
def test_other_programs_have_their_flags(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    for words in commands(program):
        name = [path, *(word for word in words[1:2] if not word.startswith("-")), "--help"]
        help = subprocess.run(name, capture_output=True, text=True, check=True).stdout
        assert flags(words) <= set(re.findall(r"--[a-z][a-z-]*", help))


# --- Docker ---------------------------------------------------------------------------------------


def test_the_docker_commands_fit_the_dockerfile() -> None:
    _, stages = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    arguments = {each.text.partition("=")[0] for stage in stages for each in stage.instructions}
    builds, runs = commands("docker", "build"), commands("docker", "run")
    assert len(builds) == len(runs) == 2
    for words in builds:
        assert words[-3:] == ["-t", "tandem", "."]
        for value in (after for word, after in itertools.pairwise(words) if word == "--build-arg"):
            assert value.partition("=")[0] in arguments
    for words in runs:
        assert words[-1] == "tandem"
        assert f"127.0.0.1:7860:{there(stages[-1].last('EXPOSE')).text}" in words
        assert f"tandem:{there(stages[-1].last('VOLUME')).text}" in words


def test_the_variables_of_the_compose_file_are_named() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{(\w+)", text))
    assert {name for name in named if f"`{name}`" not in TEXT} == {"HF_TOKEN"}


# --- systemd --------------------------------------------------------------------------------------


def test_the_unit_starts_the_app_with_flags_that_exist() -> None:
    words = shlex.split(unit("tandem")["ExecStart"])
    assert words[1] == "app.py"
    server().make_context("app.py", words[2:])
    (behind_nginx,) = commands("python", "app.py", "--public")
    assert flags(behind_nginx) <= flags(words)


@pytest.mark.parametrize("name", UNITS)
def test_the_units_do_not_run_as_root_and_write_only_their_own_folder(name: str) -> None:
    settings = unit(name)
    assert settings["DynamicUser"] == "yes"
    assert settings["ProtectSystem"] == "strict"
    assert settings["StateDirectory"] == name
    assert settings["EnvironmentFile"] == f"-/etc/{name}.env"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    """With a program that is there in place of the one of the unit."""
    text = (ROOT / "deploy" / f"{name}.service").read_text(encoding="utf-8")
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    copy = tmp_path / f"{name}.service"
    copy.write_text(text, encoding="utf-8")
    result = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
