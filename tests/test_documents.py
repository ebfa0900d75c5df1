"""Tests for the documentation: commands run, links resolve, and options and variables exist."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from playground.cli.main import app
from playground.config import Settings
from tests.helpers.paths import ROOT

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "prompts/README.md", "models/*/README.md", "adapters/*/README.md")
    for path in ROOT.glob(pattern)
)
COMMAND_LINE = ROOT / "docs" / "command-line.md"
LANGUAGES = {"sh", "text", "toml", "json", "python", "mermaid"}

NOT_RUN = {
    "make run": "installs packages; `python app.py`, which it calls, is run",
    "make test": "runs this test",
    ".venv/bin/python -m pytest tests/engine/test_text.py": "runs tests",
    ".venv/bin/python -m pytest tests/test_session.py -k stop": "runs tests",
    ".venv/bin/python -m pytest tests/ui/browser/test_lanes.py -m browser": "runs tests in a browser",
    "make lint": "runs ruff and mypy on the whole project",
    "make pocket": "takes hours",
    "models/pocket/recipe/make.sh --quick --out /tmp/trial": "takes minutes; tests/models/test_recipe.py",
    "python3 -m venv .venv": "creates an environment",
    "source .venv/bin/activate": "changes the shell",
    "pip install -r requirements.txt": "installs packages",
    "pip install .": "installs packages; tests/test_packaging.py installs this one",
    "python app.py --base mistralai/Mistral-7B-v0.1 --adapter tuned=PATH_OR_HUB_ID": "needs the network",
    "python app.py --preset smollm2-135m": "needs the network",
    "vllm serve models/pocket --enable-lora --lora-modules pocket-ift=adapters/pocket-ift": (
        "tests/integration/test_vllm_engine.py starts vLLM"
    ),
    "transformers serve models/pocket": "another program, in tests/integration/test_transformers_serve.py",
    "python app.py --remote http://127.0.0.1:8000=models/pocket": "needs transformers serve, as in its test",
    "python app.py --remote http://127.0.0.1:8000": "needs a server; tests/integration/test_vllm_engine.py",
    "python -m playground prompt --lane qa --messages messages.json": (
        "needs the example of CONTRIBUTING.md; tests/aligners/test_new_aligner.py runs it"
    ),
    'python -m playground chat "What is the capital of France?" --lane qa --lane qa:colon=. --lane urial': (
        "needs the example of CONTRIBUTING.md; tests/aligners/test_new_aligner.py runs it"
    ),
    'python -m playground chat "What is dusk?" --lane urial --lane gpt-4o@https://api.openai.com/v1': (
        "needs the network; tests/engine/remote/test_chat.py has a server"
    ),
    "python -m playground fetch urial": "needs the network; tests/published/test_fetch.py has a server",
    "python -m playground judge ID --judge gpt-4o --rubric pairwise": "needs a judge's server",
    "python -m playground judge ID --judge gpt-4o --judge llama@http://127.0.0.1:8000/v1 --rubric pairwise": (
        "needs judges' servers; tests/ui/dialogs/test_judge.py has some"
    ),
    "python -m playground bench --json": "takes minutes",
    "python -m playground bench --runs 3": "takes minutes",
    "python -m benchmarks.page": "takes minutes",
    "python -m benchmarks.page_load": "takes minutes",
    "python -m benchmarks.load": "takes minutes",
    "python -m benchmarks.serving --runs 15": "takes minutes; run once in tests/integration",
    "python -m benchmarks.stops FOLDER --out FILE": "needs a model in the folder",
    "python app.py --public --proxies 1 --allow-host tandem.example.org": (
        "needs nginx; tests/deployment/test_nginx.py runs both"
    ),
    "python app.py --remote http://127.0.0.1:8000=base --adapter tuned=tuned --tokenizer "
    "mistralai/Mistral-7B-v0.1": "needs vLLM and the network",
}
"""Commands of the documents that this test does not run, and why. All others are run."""

FOREIGN = ("curl", "docker", "lm_eval", "ray", "sudo", "transformers", "vllm", "vllm-router")
"""Programs that are not run here. tests/deployment/test_serving.py checks what can be checked. Those of
docs/api.md are run by tests/api/test_document.py (curl) and tests/integration/test_lm_eval.py."""

OTHER_PROGRAMS = {
    "--address": "ray",
    "--continuous-batching": "transformers serve",
    "--baseline": "benchmarks.page_load",
    "--build": "docker compose",
    "--build-arg": "docker",
    "--distributed-executor-backend": "vLLM",
    "--enable-lora": "vLLM",
    "--enable-prefix-caching": "vLLM",
    "--enable-prompt-tokens-details": "vLLM",
    "--examples": "models/pocket/recipe/ift.py",
    "--gpus": "docker",
    "--head": "ray",
    "--lora-modules": "vLLM",
    "--max-lora-rank": "vLLM",
    "--max-loras": "vLLM",
    "--max-model-len": "vLLM",
    "--now": "systemctl",
    "--out": "benchmarks and models/pocket/recipe",
    "--pipeline-parallel-size": "vLLM",
    "--policy": "vllm-router",
    "--quick": "models/pocket/recipe",
    "--random-heads": "models/pocket/recipe/train.py",
    "--refine": "models/pocket/recipe/train.py",
    "--served-model-name": "vLLM",
    "--speed": "benchmarks.pocket",
    "--tensor-parallel-size": "vLLM",
    "--threads": "models/pocket/recipe/train.py",
    "--worker-urls": "vllm-router",
}
"""Options in the documents that are not Tandem's, and whose they are."""


# --- Commands -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Fence:
    """One fenced block of a document."""

    path: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def read_fences(path: Path) -> Iterator[Fence]:
    """The fenced blocks of a document, in order."""
    pattern = re.compile(r"^(`{3,})(.*)\n((?:.*\n)*?)\1\n", re.MULTILINE)
    text = path.read_text(encoding="utf-8")
    for found in pattern.finditer(text):
        line = text[: found.start()].count("\n") + 1
        yield Fence(path=path, line=line, language=found[2].strip(), text=found[3])


def split_commands(text: str) -> list[str]:
    """The commands of a block without comments; a backslash at the end of a line continues it."""
    lines = text.replace("\\\n", " ").splitlines()
    without_comments = [re.sub(r"\s+# .*", "", line).strip() for line in lines]
    return [" ".join(line.split()) for line in without_comments if line and not line.startswith("#")]


FENCES = [fence for path in DOCUMENTS for fence in read_fences(path)]
COMMANDS = {
    command: fence for fence in FENCES if fence.language == "sh" for command in split_commands(fence.text)
}
"""Every command, with the last block that has it."""


def is_left_out(command: str) -> bool:
    """Whether a command is not run here."""
    return command in NOT_RUN or command.split()[0] in FOREIGN


def expected_lines(fence: Fence) -> list[str]:
    """What a block's output must contain: the lines of the block right after it, if that is a text."""
    text = fence.path.read_text(encoding="utf-8").splitlines()
    end = fence.line + fence.text.count("\n") + 1
    following = next((each for each in FENCES if each.path == fence.path and each.line == end + 2), None)
    if following is None or following.language != "text" or text[end].strip():
        return []
    return following.text.splitlines()


def command_line() -> typer.core.TyperGroup:
    """The program of `python -m playground`."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def server() -> typer.core.TyperCommand:
    """The program of `python app.py`."""
    command = command_line().commands["serve"]
    assert isinstance(command, typer.core.TyperCommand)
    return command


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def folder(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the repository's folders, the data folder, and no variable of the caller's."""
    for name in [name for name in os.environ if name.startswith("TANDEM_") or name == "OPENAI_API_KEY"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TANDEM_DATA_DIR", str(data_dir))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("adapters", "benchmarks", "models", "prompts"):
        (tmp_path / name).symlink_to(ROOT / name, target_is_directory=True)
    (tmp_path / "messages.json").write_text(
        '[{"role": "user", "content": "What is dusk?"}]', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def conversation(data_dir: Path) -> str:
    """The id of a recorded conversation, which documents call ID."""
    lanes = ["--lane", "urial", "--lane", "pocket-ift"]
    messages = ["What is the capital of France?", "And of Japan?"]
    result = CliRunner().invoke(app, ["chat", *messages, *lanes, "--json", "--data-dir", str(data_dir)])
    assert result.exit_code == 0, result.output
    found = re.search(r'"id": "([^"]+)"', result.stdout)
    assert found is not None
    return found[1]


def run(command: str, folder: Path, id: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run one command and return its standard output; any other exit status than 0 fails."""
    words = shlex.split(command)
    if words[0] == "tandem":
        words = ["python", "-m", "playground", *words[1:]]
    if words[:3] == ["python", "-m", "playground"]:
        arguments = [id if word == "ID" else word for word in words[3:]]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout
    if words[:2] == ["python", "-m"]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words[2:])
            patch.delitem(sys.modules, words[2], raising=False)  # another test may have imported it
            runpy.run_module(words[2], run_name="__main__")
        return capsys.readouterr().out
    if words[:2] == ["python", "app.py"]:
        return serve(folder, words[2:])
    if words[0] == "echo" and words[-2] == ">":
        Path(words[-1]).write_text(" ".join(words[1:-2]) + "\n", encoding="utf-8")
        return ""
    if words[:2] == ["python", "scripts/house.py"]:
        # It exits with status 1 while a goal is missed, which is no fault of the document.
        arguments = [sys.executable, str(ROOT / words[1]), *words[2:]]
        return subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    raise AssertionError(f"{command!r} is neither run nor listed in NOT_RUN with a reason.")


def serve(folder: Path, flags: list[str]) -> str:
    """Start the page, read it once, and end it with Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *flags], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"Tandem is running at (http://\S+)\n", line)
        assert found is not None, line
        with urllib.request.urlopen(found[1], timeout=60) as answer:
            assert answer.status == 200
            assert "Tandem" in answer.read().decode()
        if "--api" in flags:
            assert process.stdout.readline() == f"Its API is at {found[1]}/v1\n"
            with urllib.request.urlopen(f"{found[1]}/v1/models", timeout=60) as answer:
                assert "pocket-ift" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        return line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if not is_left_out(command)], ids=str)
def test_a_command_runs(
    command: str, folder: Path, conversation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fence = COMMANDS[command]
    output = run(command, folder, conversation, capsys)
    for line in expected_lines(fence) if split_commands(fence.text) == [command] else []:
        assert line in output.splitlines(), fence.place
    if "--json" in command:
        name = command.split()[3]
        undocumented = keys_of(json.loads(output)) - names_in(section_of(name))
        assert undocumented == set(), f"{name} --json has keys that docs/command-line.md does not name"


def keys_of(document: Any) -> set[str]:
    """The keys of an object and of the objects in its lists. Objects in objects are tables by name."""
    if isinstance(document, list):
        return set().union(*map(keys_of, document))
    if not isinstance(document, dict):
        return set()
    lists = [value for value in document.values() if isinstance(value, list)]
    return set(document).union(*map(keys_of, lists))


def section_of(heading: str) -> str:
    """A section of docs/command-line.md, which has one for each command."""
    return sections(COMMAND_LINE.read_text(encoding="utf-8"))[heading]


def names_in(text: str) -> set[str]:
    """The words that a text has in code."""
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}


def test_every_reason_is_for_a_command_of_a_document() -> None:
    assert set(NOT_RUN) - set(COMMANDS) == set()


@pytest.mark.parametrize("command", [each for each in NOT_RUN if each in COMMANDS], ids=str)
def test_a_command_that_is_not_run_is_one_that_there_is(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE)
    elif words[:3] == ["python", "-m", "playground"]:
        group = command_line()
        program = group.commands[words[3]]
        program.make_context(words[3], words[4:])
    elif words[:2] == ["python", "app.py"]:
        server().make_context("app.py", words[2:])
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
    else:
        paths = [word.rpartition("=")[2] for word in words]
        named = [path for path in paths if "/" in path and not path.startswith("/")]
        assert all((ROOT / word).exists() for word in named if not word.startswith(".venv"))


@pytest.mark.parametrize("fence", FENCES, ids=lambda fence: fence.place)
def test_a_block_says_what_it_holds(fence: Fence) -> None:
    assert fence.language in LANGUAGES
    if fence.language == "text":
        assert not re.search(r"^(?:\$ )?(?:python|make|pip|tandem|\.venv/bin/\w+) ", fence.text, re.MULTILINE)
    if fence.language == "toml":
        tomllib.loads(fence.text)


# --- Options and variables ------------------------------------------------------------------------


def options_of(command: typer.core.TyperCommand | typer.core.TyperGroup) -> set[str]:
    """The long options of a command, `--help` included."""
    names = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    return names | {"--help"}


def options_in(text: str) -> set[str]:
    """The long options that a text names in code."""
    blocks = [
        each
        for each in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        if not each.startswith(("curl ", "lm_eval "))
    ]
    code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *blocks])
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code))


def sections(text: str) -> dict[str, str]:
    """The parts of a document by their heading of the second level."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def programs() -> dict[str, typer.core.TyperCommand]:
    """Every command, by the heading of its section."""
    return dict(command_line().commands)  # type: ignore[arg-type]


def known_options() -> set[str]:
    """The long options of all commands, and those given without a command."""
    group = command_line()
    return options_of(group).union(*map(options_of, programs().values()))


@pytest.mark.parametrize("name", sorted(programs()))
def test_the_options_of_a_command_are_those_of_its_section(name: str) -> None:
    own, shared = options_in(section_of(name)), options_in(section_of("What all commands share"))
    options = options_of(programs()[name])
    assert options - own - shared == set(), "not documented"
    assert own - options == set(), "documented, but not there"
    assert shared - known_options() == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_option_in_a_document_exists(path: Path) -> None:
    found = options_in(path.read_text(encoding="utf-8"))
    assert found - known_options() - set(OTHER_PROGRAMS) == set()


class Recorder(dict[str, str]):
    """An environment that notes which variables are read."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return default


def test_the_documented_variables_are_those_that_are_read() -> None:
    environment = Recorder()
    Settings.read({}, environment)
    table = section_of("Environment variables")
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    others = {"HF_TOKEN", "TANDEM_JUDGE_KEY_HOST"}  # read by huggingface_hub; a pattern for names
    assert environment.names == documented - others


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_in_a_document_exists(path: Path) -> None:
    named = set(re.findall(r"\bTANDEM_[A-Z_]+", path.read_text(encoding="utf-8")))
    documented = set(re.findall(r"\bTANDEM_[A-Z_]+", COMMAND_LINE.read_text(encoding="utf-8")))
    assert named - documented - {"TANDEM_CHROMIUM"} == set()  # the tests' own


# --- Links ----------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(
        r"^(`{3,})[^\n]*\n.*?^\1$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_anchors_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_in_code_exist(path: Path) -> None:
    folders = "playground|tests|docs|prompts|models|adapters|scripts|benchmarks"
    for name in re.findall(rf"`((?:{folders})/[\w./*-]+)`", path.read_text(encoding="utf-8")):
        places = (ROOT, path.parent)
        assert any(any(place.glob(name.rstrip("/"))) for place in places), name


def read_layout() -> list[str]:
    """The paths in ARCHITECTURE.md's layout: the names before two spaces, in the folder of their indent."""
    block = next(
        fence for fence in FENCES if fence.path.name == "ARCHITECTURE.md" and fence.language == "text"
    )
    paths: list[str] = []
    folders: list[str] = []
    for line in block.text.splitlines():
        indent = (len(line) - len(line.lstrip())) // 2
        if indent > 5:  # a description that begins below its names
            continue
        names = re.split(r"  +", line.strip())[0].split()
        for name in names:
            paths.append("".join([*folders[:indent], name]))
        if names[0].endswith("/"):
            folders[indent:] = [names[0]]
    return paths


def test_the_layout_names_what_there_is() -> None:
    paths = read_layout()
    assert sorted(paths) == sorted(set(paths)), "one place is named twice"
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    product = ROOT / "playground"
    folders = {path.parent for path in product.rglob("*.py")} - {product}
    modules = {path for path in product.glob("*.py") if path.stem != "__init__"}
    there = {f"{path.relative_to(ROOT)}/" for path in folders} | {
        str(path.relative_to(ROOT)) for path in modules
    }
    within = {path for path in there if path.count("/") > 3}  # folders within folders within rooms
    assert there - within - set(paths) == set()


def read_diagram() -> tuple[dict[str, str], dict[str, set[str]]]:
    """ARCHITECTURE.md's diagram: the box of each room, and the boxes that each box has an arrow to."""
    block = next(fence for fence in FENCES if fence.language == "mermaid")
    labels = dict(re.findall(r'(\w+)\["([^"]+)"\]', block.text))
    arrows: dict[str, set[str]] = {}
    for start, end in re.findall(r"^ *(\w+)(?:\[.*?\])? --> (\w+)", block.text, re.MULTILINE):
        arrows.setdefault(start, set()).add(end)
    names = {*arrows, *(end for ends in arrows.values() for end in ends)}
    boxes = {room: name for name in names for room in labels.get(name, name).split(", ")}
    return boxes, arrows


def imported_rooms() -> dict[str, set[str]]:
    """For each room, the other rooms that it imports."""
    imports: dict[str, set[str]] = {}
    for path in [ROOT / "app.py", *(ROOT / "playground").rglob("*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        room = parts[0] if len(parts) == 1 else parts[1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "playground":
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("playground."):
                names = [(node.module or "").split(".")[1]]
            else:
                continue
            imports.setdefault(room, set()).update(name for name in names if name != room)
    return imports


def test_imports_follow_the_diagram() -> None:
    boxes, arrows = read_diagram()
    below = {box: set(arrows.get(box, ())) for box in boxes.values()}
    for _ in below:
        for box, reached in below.items():
            below[box] = reached.union(*(below[each] for each in reached))
    imports = {room: rooms for room, rooms in imported_rooms().items() if not room.startswith("__")}
    assert set(imports) - set(boxes) == set(), "not in the diagram"
    against = {
        f"{room} -> {other}"
        for room, rooms in imports.items()
        for other in rooms
        if boxes[other] != boxes[room] and boxes[other] not in below[boxes[room]]
    }
    assert against == set()
    direct = {(boxes[room], boxes[other]) for room, rooms in imports.items() for other in rooms}
    assert {(box, each) for box, found in arrows.items() for each in found} - direct == set()


def test_every_picture_is_in_a_document() -> None:
    linked = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert [path.name for path in sorted((ROOT / "docs").glob("*.png")) if path.name not in linked] == []


# --- README ---------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_readme_begins_with_the_spaces_settings() -> None:
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    settings = dict(line.split(": ", 1) for line in front.splitlines())
    assert settings["sdk"] == "gradio"
    assert f"gradio=={settings['sdk_version']}\n" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert (ROOT / settings["app_file"]).is_file()


def test_the_readme_links_every_page_of_the_docs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in text] == []


@pytest.mark.parametrize("name", ["README.md", "docs/lanes-and-demonstrations.md", "docs/judging.md"])
def test_labels_in_italics_are_on_the_page(name: str) -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("ui", "aligners")
        for path in sorted((ROOT / "playground" / folder).rglob("*.py"))
    ).replace("\\u00d7", "\u00d7")
    text = (ROOT / name).read_text(encoding="utf-8")
    labels = set(re.findall(r"(?<![*\w])\*([A-Z0-9][^*\n]{1,30})\*(?!\*)", text))
    made = {"IFT \u00b7 Pocket IFT", "IFT", "A better", "B better"}  # put together from parts
    assert {label for label in labels if label not in sources} - made == set()
