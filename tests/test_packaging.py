"""Tests for the package: its dependencies match the tested versions, and its wheel works standalone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.checked import there
from tests.helpers.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_pins(name: str) -> dict[str, str]:
    """The versions in a requirements file, by normalised name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [re.fullmatch(r"([\w-]+)==(\S+)", line) for line in lines if line and line[0] not in "#-"]
    return {str(canonicalize_name(pin[1])): pin[2] for pin in map(there, pins)}


@pytest.mark.parametrize(
    ("file", "declared"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("requirements-dev.txt", PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_every_pin_lies_in_the_range_of_the_package(file: str, declared: list[str]) -> None:
    pins = read_pins(file)
    ranges = {str(canonicalize_name(each.name)): each.specifier for each in map(Requirement, declared)}
    assert set(pins) == set(ranges)
    assert {name for name, version in pins.items() if version not in ranges[name]} == set()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel of this repository was installed."""
    folder = tmp_path_factory.mktemp("package")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    offline = ["--quiet", "--no-deps", "--no-index"]
    wheels, site = folder / "wheels", folder / "site"
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, ROOT], check=True)
    (wheel,) = wheels.glob("tandem_playground-*.whl")
    subprocess.run([*pip, "install", *offline, "--target", site, wheel], check=True)
    return site


def run_tandem(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `tandem` in `folder`, with the packages of this Python and without the repository."""
    script = shutil.which(
        "tandem", path=os.pathsep.join([str(installed / "bin"), str(installed / "Scripts")])
    )
    assert script is not None
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
    environ |= {"PYTHONPATH": str(installed), "XDG_DATA_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [script, *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_the_installed_command_chats_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    result = run_tandem(
        installed, tmp_path, "chat", "Hello", "--lane", "base", "--lane", "pocket-ift", "--json"
    )
    assert result.returncode == 0, result.stderr
    (turn,) = json.loads(result.stdout)["turns"]
    assert [answer["variant"] for answer in turn["answers"]] == ["base", "pocket-ift"]
    assert all(answer["text"] and answer["error"] is None for answer in turn["answers"])
    assert (tmp_path / "home" / "tandem").is_dir()


@pytest.mark.slow
def test_the_installed_command_finds_everything_that_is_shipped(installed: Path, tmp_path: Path) -> None:
    result = run_tandem(installed, tmp_path, "doctor", "--json")
    assert result.returncode == 0, result.stderr + result.stdout
    report = json.loads(result.stdout)
    assert report["problems"] == []
    assert {adapter["name"] for adapter in report["adapters"]} == {
        path.name for path in (ROOT / "adapters").iterdir()
    }
    assert len(report["demo_sets"]) == len(list((ROOT / "prompts" / "demos").iterdir()))
    assert "pocket" in {preset["name"] for preset in report["presets"]}
    assert "urial" in run_tandem(installed, tmp_path, "fetch").stdout
    bench = run_tandem(installed, tmp_path, "bench")
    assert bench.returncode == 2
    assert "clone Tandem's repository" in bench.stderr


@pytest.mark.slow
def test_the_installed_package_holds_what_is_needed_and_no_more(installed: Path) -> None:
    package = installed / "playground"
    fonts = [f"fonts/{name}" for name in ("inter", "stix-two-math")]
    files = ["js/a11y.js", "css/page.css", "css/lanes.css"]
    files += [f"{font}{end}" for font in fonts for end in (".woff2", "-license.txt")]
    for name in files:
        assert (package / "ui" / "assets" / name).is_file()
    shipped = package / "shipped"
    for folder in ("adapters", "prompts", "models"):
        there = {path.relative_to(shipped) for path in (shipped / folder).rglob("*") if path.is_file()}
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert there == {Path(path) for path in tracked if not path.startswith("models/pocket/recipe")}
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} <= {
        "bin",
        "Scripts",
        "playground",
    }


def test_pre_commit_uses_the_versions_of_the_requirements() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pins = read_pins("requirements-dev.txt")
    assert f"rev: v{pins['ruff']}\n" in text
    assert f"name: mypy {pins['mypy']}\n" in text


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({}, "make test CHROMIUM=install"),
        ({"CI": "false"}, "make test CHROMIUM=install"),
        ({"TANDEM_CHROMIUM": "/nowhere"}, "/nowhere, which is not an executable file"),
    ],
)
def test_no_browser_is_installed_unless_asked_for(
    environment: dict[str, str], advice: str, tmp_path: Path
) -> None:
    """With a PATH that has no browser, and a Python whose Playwright has none."""
    for name in ("sh", "id"):
        (tmp_path / name).symlink_to(there(shutil.which(name)))
    run = subprocess.run(
        ["sh", str(ROOT / "scripts" / "chromium.sh"), "no-python"],
        env={"PATH": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.count("\n") == 1
    assert advice in run.stderr
