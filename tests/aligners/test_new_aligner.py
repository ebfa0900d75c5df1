"""Tests that a new aligner module appears in the CLI and the UI without being registered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import playground.aligners
from playground.aligners import aligners
from playground.lanes.names import offer_lanes
from playground.lanes.recipe import Recipe
from playground.library import Library
from playground.store import Store
from playground.types import InputError
from tests.helpers.browsing import QUESTION, App, Person
from tests.helpers.paths import ROOT

FEW_SHOT = "few-shot-chat:adapter=pocket-ift,k=2"


def write_example(folder: Path) -> Path:
    """Write the aligner of CONTRIBUTING.md into a folder that is to join the aligners' path."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Add an aligner")[1]
    source = section.split("```python\n")[1].split("```")[0]
    (folder / "qa.py").write_text(source, encoding="utf-8")
    return folder


def run_with(folder: Path, run: str) -> tuple[str, ...]:
    """What Python runs so that the aligners' path has a folder more."""
    return ("-c", f"import playground.aligners as found; found.__path__.append({str(folder)!r}); {run}")


def tandem(folder: Path, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    program = run_with(folder, "from playground.__main__ import main; main()")
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The aligner of CONTRIBUTING.md among the others, in this process."""
    path = [*playground.aligners.__path__, str(write_example(tmp_path))]
    monkeypatch.setattr(playground.aligners, "__path__", path)
    aligners.cache_clear()
    yield
    aligners.cache_clear()
    sys.modules.pop("playground.aligners.qa")


@pytest.mark.usefixtures("example")
def test_it_is_offered_and_its_name_is_reserved() -> None:
    library = Library.open("models/pocket")
    offered = {spec: label for label, spec in offer_lanes(library.adapters.values())}
    assert offered["qa"] == "Base + Q and A"
    assert Recipe.of("qa:overflow=drop-turns") == Recipe(preset="qa", overflow="drop-turns")
    assert Recipe.of("qa:colon=;") == Recipe(preset="qa:colon=;")
    with pytest.raises(InputError, match="'qa' is reserved for a lane"):
        library.ask_for("qa", "somewhere/else")


@pytest.mark.parametrize("name", ["qa", "few-shot-chat", "base", "raw"])
@pytest.mark.usefixtures("example")
def test_no_adapter_has_the_name_of_an_aligner(name: str) -> None:
    with pytest.raises(InputError, match="is reserved for a lane"):
        Library.open("models/pocket", {name: "somewhere/else"})


def test_the_command_line_has_it(tmp_path: Path) -> None:
    folder = write_example(tmp_path)
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps([{"role": "user", "content": "Hi"}]), encoding="utf-8")
    shown = tandem(folder, "prompt", "--lane", "qa:colon=;", "--messages", messages)
    assert shown.stdout == b"Q; Hi\nA;", shown.stderr
    shown = tandem(folder, "prompt", "--lane", FEW_SHOT, "--messages", messages)
    assert shown.stdout.count(b"### User\n") == 3, shown.stderr
    flags = ("--lane", "qa", "--lane", FEW_SHOT, "--max-new-tokens", "24", "--data-dir", tmp_path / "data")
    asked = tandem(folder, "chat", QUESTION, *flags, "--json")
    assert asked.returncode == 0, asked.stderr.decode()
    answers = json.loads(asked.stdout)["turns"][0]["answers"]
    assert [answer["variant"] for answer in answers] == ["qa", FEW_SHOT]
    assert answers[0]["prompt"] == f"Q: {QUESTION}\nA:"
    assert all(answer["text"] for answer in answers)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Add a module with the given name and source to the aligners in this process."""
    monkeypatch.setattr(playground.aligners, "__path__", [*playground.aligners.__path__, str(tmp_path)])
    names = []

    def add(name: str, source: str) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        names.append(f"playground.aligners.{name}")
        aligners.cache_clear()
        return path

    yield add
    aligners.cache_clear()
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("source", ["playground.types", "playground.aligners.urial"])
def test_a_module_that_only_imports_an_aligner_is_a_helper(
    added: Callable[[str, str], Path], source: str
) -> None:
    before = aligners()
    added("helper", f"from {source} import Aligner\n")
    assert aligners() == before


NAMED = """
from playground.aligners.base import AlignerBase, LaneKind

class Aligner(AlignerBase):
    kind = {kind!r}
    lane = {lane}
"""


@pytest.mark.parametrize(
    ("kind", "alias", "reserved", "file"),
    [("urial", "", "urial", "urial.py"), ("base", "", "base", "raw.py"), ("new", "chat", "chat", "chat.py")],
)
def test_two_aligners_of_one_name_are_refused_with_both_files(
    added: Callable[[str, str], Path], kind: str, alias: str, reserved: str, file: str
) -> None:
    path = added("zz", NAMED.format(kind=kind, lane=f"LaneKind(label='x', alias={alias!r})"))
    with pytest.raises(InputError) as caught:
        aligners()
    said = str(caught.value)
    built_in = ROOT / "playground" / "aligners" / file
    assert said.startswith(f"{built_in} and {path} both define the lane {reserved!r}: rename")


@pytest.mark.parametrize(("kind", "lane", "said"), [("new", None, "'lane'"), (None, None, "'kind'")])
def test_an_aligner_without_a_name_or_a_lane_is_refused_with_its_file(
    added: Callable[[str, str], Path], kind: str | None, lane: None, said: str
) -> None:
    path = added("zz", NAMED.format(kind=kind, lane=lane))
    with pytest.raises(InputError) as caught:
        aligners()
    assert str(caught.value).startswith(f"{path}: the class Aligner has no class attribute {said}")


class ExampleApp(App):
    """The app with the aligner of CONTRIBUTING.md."""

    def __init__(self, folder: Path) -> None:
        self.program = run_with(
            write_example(folder), "from playground.cli.main import main_serve; main_serve()"
        )
        super().__init__(folder / "data")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with ExampleApp(tmp_path_factory.mktemp("aligner")) as app:
        yield app


@pytest.fixture
def person(app: App, browser: Browser) -> Iterator[Person]:
    person = Person(browser, app.url)
    yield person
    person.close()


@pytest.mark.browser
@pytest.mark.usefixtures("example")
def test_the_page_has_it(person: Person, app: App) -> None:
    person.short()
    person.pick(0, "Base + Q and A")
    expect(person.page.locator("#chat-0")).to_contain_text("your text as a question")
    person.page.click("#setup-0")
    for control in ("demos", "system"):
        expect(person.page.locator(f"#{control}-0")).to_be_hidden()
    person.pick(1, "Base + few-shot chat · Pocket IFT")
    person.page.click("#setup-1")
    for control in ("demos", "k", "system", "think"):
        expect(person.page.locator(f"#{control}-1")).to_be_visible()
    expect(person.page.locator("#stop-rule-1")).to_be_hidden()
    person.page.fill("#k-1 input[type=number]", "2")
    person.page.press("#k-1 input[type=number]", "Enter")
    expect(person.page.locator("#chat-1")).to_contain_text("2 sample questions with answers as earlier turns")
    person.ask(QUESTION)
    for lane in (0, 1):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    recorded = Store(app.data_dir).load(person.conversation)
    assert [variant.name for variant in recorded.variants] == ["qa", FEW_SHOT]
    person.go(person.page.url)
    expect(person.page.locator("#pick-1 input")).to_have_value("Base + few-shot chat · Pocket IFT")
    expect(person.page.locator("#pick-0 input")).to_have_value("Base + Q and A")
