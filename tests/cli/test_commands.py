"""Tests for the command line: exact standard output, exit codes and error messages."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from playground.aligners.urial import Aligner as Urial
from playground.library import Library
from playground.store import Store
from playground.types import Message
from tests.helpers.commands import failed, invoke, tandem
from tests.helpers.paths import ROOT
from tests.helpers.tiny import Tiny


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    path = tmp_path / "messages.json"
    path.write_text('[{"role": "user", "content": "Caf\\u00e9\\r\\n\\u2028?"}]', encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two turns of three lanes on the pocket model, through the real command."""
    result = tandem(
        "chat", "What is the capital of France?", "And of Japan?",
        "--lane", "base", "--lane", "urial", "--lane", "pocket-ift",
        "--max-new-tokens", "48", "--json", "--data-dir", tmp_path_factory.mktemp("data"),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    document: dict[str, Any] = json.loads(result.stdout)
    return document


KEYS = {
    "variant", "adapter", "prompt", "left_out", "text", "raw_text", "finish", "error", "prompt_tokens",
    "cached_tokens", "new_tokens", "ttft", "seconds", "is_estimated", "notes",
}  # fmt: skip


def test_chat_prints_one_document_with_everything_that_was_asked_and_came(
    conversation: dict[str, Any],
) -> None:
    assert set(conversation) == {"id", "turns"}
    assert [turn["user"] for turn in conversation["turns"]] == [
        "What is the capital of France?",
        "And of Japan?",
    ]
    for turn in conversation["turns"]:
        assert [answer["variant"] for answer in turn["answers"]] == ["base", "urial", "pocket-ift"]
        assert [answer["adapter"] for answer in turn["answers"]] == [None, None, "pocket-ift"]
        for answer in turn["answers"]:
            assert set(answer) == KEYS
            assert answer["error"] is None
            assert answer["finish"] in ("stop", "length")
            assert 0 <= answer["cached_tokens"] < answer["prompt_tokens"]
            assert 0 < answer["ttft"] <= answer["seconds"]


def test_the_second_turn_computes_only_the_new_part(conversation: dict[str, Any]) -> None:
    """Cached are the first turn's prompt and answer, less the last token, which was never read."""
    first, second = conversation["turns"]
    for before, after in zip(first["answers"], second["answers"], strict=True):
        assert after["cached_tokens"] >= before["prompt_tokens"] + before["new_tokens"] - 2
        new = after["prompt"][len(before["prompt"]) :]
        assert "And of Japan?" in new


def test_the_aligned_lanes_answer_and_the_base_continues_a_document(conversation: dict[str, Any]) -> None:
    base, urial, ift = conversation["turns"][0]["answers"]
    assert "Paris" in urial["text"]
    assert "Paris" in ift["text"]
    assert (urial["finish"], ift["finish"]) == ("stop", "stop")
    assert base["finish"] == "length"
    assert urial["raw_text"].startswith(urial["text"] + "\n```")


def test_the_printed_prompt_is_the_one_that_is_asked(conversation: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "messages.json"
    first = conversation["turns"][0]
    for lane, name in enumerate(["base", "urial", "pocket-ift"]):
        talk = [
            {"role": "user", "content": first["user"]},
            {"role": "assistant", "content": first["answers"][lane]["text"]},
            {"role": "user", "content": "And of Japan?"},
        ]
        path.write_text(json.dumps(talk), encoding="utf-8")
        result = tandem("prompt", "--lane", name, "--messages", path)
        assert result.stdout.decode() == conversation["turns"][1]["answers"][lane]["prompt"]


def test_prompt_prints_the_prompt_byte_for_byte_and_nothing_else(messages: Path, tmp_path: Path) -> None:
    result = tandem("prompt", "--lane", "urial", "--demos", "pocket-3", "--messages", messages)
    demos = Library.open("models/pocket").demo_set("pocket-3")
    want = Urial(demos=demos)([Message(role="user", text="Caf\u00e9\r\n\u2028?")]).text
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == want.encode("utf-8")
    # A set of one's own from a file, and fewer of its demonstrations; a "C" locale changes nothing.
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ninstruction = "I"\n[[demos]]\nquery = "q"\nanswer = "\u00e4"\n', encoding="utf-8"
    )
    result = tandem("prompt", "--demos", own, "--messages", messages, LC_ALL="C", PYTHONUTF8="0")
    assert result.stdout.startswith("I\n\n# Query:\n```\nq\n```\n\n# Answer:\n```\n\u00e4\n```\n\n".encode())
    result = tandem("prompt", "--demos", own, "--k", "0", "--messages", messages)
    assert result.stdout.startswith(b"I\n\n# Query:\n```\nCaf")


def test_prompt_takes_a_published_file_as_it_is_and_apart_where_less_or_other_is_asked(
    messages: Path, tmp_path: Path
) -> None:
    block = "# Query:\n```\n{}\n```\n\n# Answer:\n```\n{}\n```\n"
    text = "I\n\n\n" + block.format("q1", "a1") + "\n\n" + block.format("q2", "a2").rstrip("\n")
    path = tmp_path / "published & new.txt"
    path.write_text(text, encoding="utf-8")
    asked = "\n# Query:\n```\nCaf\u00e9\r\n\u2028?\n```\n\n# Answer:\n```\n"
    whole = tandem("prompt", "--lane", "urial", "--demos", path, "--messages", messages)
    assert (whole.returncode, whole.stderr) == (0, b"")
    assert whole.stdout == (text + asked).encode()

    def prompt(*options: object) -> str:
        result = invoke("prompt", "--demos", path, "--messages", messages, *options)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout_bytes.decode()

    first, second = block.format("q1", "a1"), block.format("q2", "a2")
    assert prompt("--k", 2) == text + asked
    assert prompt("--k", 1) == f"I\n\n\n{first}{asked}"
    shifted = block.format("q1", "a2") + "\n" + block.format("q2", "a1")
    assert prompt("--ablation", "shifted") == f"I\n\n\n{shifted}{asked}"
    assert prompt("--ablation", "random", "--seed", 4) == f"I\n\n\n{shifted}{asked}"
    assert prompt("--ablation", "no-instruction") == f"{first}\n{second}{asked}"
    orders = {prompt("--ablation", "shuffled", "--seed", seed) for seed in range(12)}
    assert orders == {f"I\n\n\n{first}\n{second}{asked}", f"I\n\n\n{second}\n{first}{asked}"}


def test_a_prompt_file_may_have_any_suffix_and_a_set_comes_before_a_file_of_its_name(
    messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.prompt", "plain", "pocket-3"):
        Path(name).write_text("Be brief.\n", encoding="utf-8")
    want = invoke("prompt", "--demos", "mine.prompt", "--messages", messages).stdout_bytes
    assert want.startswith(b"Be brief.\n\n# Query:\n```\nCaf")
    assert invoke("prompt", "--demos", "plain", "--messages", messages).stdout_bytes == want
    named = invoke("prompt", "--demos", "pocket-3", "--messages", messages).stdout_bytes
    assert named.count(b"# Answer:\n") == 4
    folder = invoke("prompt", "--demos", tmp_path, "--messages", messages)
    assert (folder.exit_code, folder.stdout) == (2, "")
    assert "Is a directory" in folder.stderr


def test_prompt_takes_sets_of_the_users_own_folder_by_name(messages: Path, tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "mine.txt").write_text("# User:\nq\n\n\n# Assistant:\na\n", encoding="utf-8")
    result = invoke("prompt", "--demos", "mine", "--messages", messages, "--data-dir", tmp_path)
    assert result.stdout_bytes.decode() == (
        "# User:\nq\n\n\n# Assistant:\na\n\n\n# User:\nCaf\u00e9\r\n\u2028?\n\n\n# Assistant:\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--demos", "nowhere.txt"], "Cannot read nowhere.txt"),
        (["--demos", "unknown"], "There is no demonstration set 'unknown'"),
        (["--demos", "pocket-3", "--k", "9"], "has 3 demonstrations, so k=9 is not possible"),
        (["--ablation", "loud"], "There is no ablation 'loud'"),
        (["--lane", "base", "--ablation", "shifted"], "Lane 'base': This lane has no option 'ablation'"),
        (
            ["--lane", "urial:k=1", "--k", "2"],
            "Lane 'urial:k=1': k is given both in the lane and by --k: remove one of the two.",
        ),
        (["--lane", "urial:k"], "Lane 'urial:k': 'k' is not key=value: write k=VALUE, or"),
    ],
)
def test_a_prompt_that_cannot_be_is_one_sentence_and_status_two(
    options: list[str], said: str, messages: Path
) -> None:
    result = invoke("prompt", "--messages", messages, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


BAD_MESSAGES = {
    "not json": ("[{", "line 1: not valid JSON"),
    "not a list": ('{"role": "user"}', "must contain a non-empty list"),
    "empty": ("[]", "must contain a non-empty list"),
    "other keys": (
        '[{"role": "user", "text": "x"}]',
        'message 1: it must have the keys "role" and "content"',
    ),
    "two users": (
        '[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]',
        "message 2: its role",
    ),
    "ends early": (
        '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]',
        "must end with a user message",
    ),
    "half a character": (
        '[{"role": "user", "content": "a \\ud83d"}]',
        "message 1: \"content\" contains '\\ud83d', an unpaired surrogate (half a character)",
    ),
    "a number": ('[{"role": "user", "content": 3}]', '"content" must be text'),
}


@pytest.mark.parametrize("case", BAD_MESSAGES)
def test_a_bad_message_file_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from playground.cli.main import app

    text, said = BAD_MESSAGES[case]
    path = tmp_path / "messages.json"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["prompt", "--messages", str(path)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert str(path) in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat", "Hi", "--lane", "unknown"], "There is no lane 'unknown': choose one of base"),
        (
            ["chat", "Hi", "--lane", "base", "--lane", "urial:demos=none"],
            "Lane B, 'urial:demos=none': There is no demonstration set 'none'",
        ),
        (["chat", " "], "A message is empty"),
        (["chat", "Hi", "--temperature", "-1"], "Temperature must be 0 (greedy) or more, not -1.0"),
        (["chat", "Hi", "--top-p", "0"], "Top-p must be above 0 and at most 1"),
        (["chat", "Hi", "--top-p", "1.5"], "Top-p must be above 0 and at most 1"),
        (["chat", "Hi", "--temperature", "warm"], "Temperature must be a number, not 'warm'"),
        (["chat", "Hi", "--adapter", "x=./nowhere"], "There is no adapter folder ./nowhere"),
        (["chat", "Hi", "--adapter", "x"], "--adapter must be NAME=ID or NAME=PATH, not 'x'"),
        (["chat", "Hi", "--quantize", "3bit"], "--quantize must be one of auto, 4bit, none"),
        (["chat", "Hi", "--base", "./nowhere"], "There is no model folder ./nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(arguments: list[str], said: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from playground.cli.main import app

    result = CliRunner().invoke(
        app, [*arguments, *(["--data-dir", str(tmp_path)] if arguments[0] == "chat" else [])]
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def adapter_of_another_name(tmp_path: Path) -> Path:
    """The bundled adapter, said to be for another base."""
    folder = tmp_path / "renamed"
    shutil.copytree(ROOT / "adapters" / "pocket-ift", folder)
    (folder / "adapter.toml").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text()) | {"base_model_name_or_path": "owner/Other-7B"}
    path.write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_an_adapter_whose_base_has_another_name_is_used_with_a_warning_of_both(tmp_path: Path) -> None:
    words: list[object] = ["chat", "Hi", "--lane", "x", "--adapter", f"x={adapter_of_another_name(tmp_path)}"]
    words += ["--max-new-tokens", "2", "--data-dir", tmp_path]
    result = tandem(*words)
    assert result.returncode == 0
    assert b"owner/Other-7B" in result.stderr
    assert b"models/pocket" in result.stderr
    assert tandem(*words, "--same-base").stderr == b""


def test_an_adapter_without_weights_is_one_sentence_and_other_lanes_answer(tmp_path: Path) -> None:
    other = adapter_of_another_name(tmp_path)
    (other / "adapter_model.safetensors").unlink()
    words = ("chat", "Hi", "--lane", "base", "--lane", "x", "--adapter", f"x={other}", "--json")
    result = tandem(*words, "--max-new-tokens", "2", "--data-dir", tmp_path)
    base, x = json.loads(result.stdout)["turns"][0]["answers"]
    assert base["error"] is None
    assert "adapter_model.safetensors" in x["error"]
    assert result.stderr.decode().strip() == x["error"]


def test_the_error_of_a_lane_is_printed_once_on_each_stream(tmp_path: Path) -> None:
    other = adapter_of_another_name(tmp_path)
    (other / "adapter_model.safetensors").unlink()
    result = tandem("chat", "Hi", "--lane", "x", "--adapter", f"x={other}", "--data-dir", tmp_path)
    assert result.returncode != 0
    for stream in (result.stdout, result.stderr):
        assert stream.decode().count("adapter_model.safetensors") == 1, stream
    assert result.stderr.startswith(b"No lane answered message 1: ")


def test_the_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result = invoke("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{project['version']}\n", "")


def test_help_texts_write_id_in_capitals() -> None:
    for command in ("serve", "chat", "prompt", "judge", "doctor"):
        assert not re.findall(r"\b[Ii]ds?\b", invoke(command, "--help").stdout)


def test_a_hub_model_without_a_network_is_one_sentence(tmp_path: Path) -> None:
    result = tandem("chat", "Hi", "--base", "owner/not-here-7B", "--data-dir", tmp_path)
    failed(result, 2, "owner/not-here-7B is not on this machine", "Hub cannot be reached")


def test_a_prompt_longer_than_the_context_fails_its_lane_with_the_numbers(tmp_path: Path) -> None:
    result = tandem(
        "chat", "word " * 5000, "--lane", "base", "--lane", "pocket-ift:max_new_tokens=4",
        "--json", "--data-dir", tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    for answer in json.loads(result.stdout)["turns"][0]["answers"]:
        assert answer["finish"] == "error"
        assert "context of 4,096" in answer["error"]
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("No lane answered message 1: ")
    assert "context of 4,096" in line


def test_doctor_says_what_is_here(tmp_path: Path) -> None:
    result = tandem("doctor", "--json", "--data-dir", tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    report = json.loads(result.stdout)
    assert report["base"] == "models/pocket"
    assert report["precision"] == "float32"
    assert report["context"] == 4096
    assert sorted(adapter["name"] for adapter in report["adapters"]) == [
        "pocket-ift", "pocket-ift-10", "pocket-ift-3", "pocket-ift-50", "pocket-ift-500",
    ]  # fmt: skip
    assert report["problems"] == []
    assert all("LoRA, rank 16" in adapter["serving"] for adapter in report["adapters"])
    assert report["prefix_store_bytes"] > 0
    presets = {preset["name"]: preset for preset in report["presets"]}
    assert presets["pocket"]["fits"] == ["float32", "4 bit"]
    assert presets["pocket"]["download"] == "complete"
    assert presets["mistral-7b-v0.1"]["memory"] == {"float32": 28_966_928_384, "4 bit": 5_431_299_072}
    assert presets["llama-3.1-8b"]["gate"] == "yes"


def test_doctor_names_a_chat_template_of_the_base_that_writes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny.base, base)
    (base / "chat_template.jinja").write_text("{% for %}")
    result = tandem("doctor", "--base", base, "--data-dir", tmp_path)
    assert result.returncode == 1
    assert b"Lane 'chat' of the base: The chat template cannot" in result.stdout


def test_doctor_lists_presets_and_what_is_wrong_with_a_users_own(tmp_path: Path) -> None:
    (tmp_path / "presets.toml").write_text('[[presets]]\nname = "mine"\n')
    result = tandem("doctor", "--data-dir", tmp_path, HF_HOME=str(tmp_path))
    assert result.returncode == 1
    lines = result.stdout.decode().splitlines()
    (line,) = [line for line in lines if line.startswith("preset smollm2-135m: ")]
    assert "538 MB in float32, 101 MB in 4 bit" in line
    assert "not downloaded; Apache-2.0" in line
    (problem,) = [line for line in lines if line.startswith("PROBLEM: ")]
    assert "presets.toml, line 1, presets 1: missing key 'label'" in problem


def test_a_preset_brings_its_base_its_lanes_and_its_decoding(tmp_path: Path) -> None:
    (tmp_path / "presets.toml").write_text(
        '[[presets]]\nname = "mine"\nlabel = "Mine"\ndescription = "It."\nbase = "models/pocket"\n'
        'parameters = 1\nlicence = "MIT"\ndemos = "pocket-8"\ndecoding = "repetition_penalty=1.3"\n'
        '[[presets.adapters]]\nname = "again"\nsource = "adapters/pocket-ift"\n'
    )
    result = tandem(
        "chat", "What is the capital of France?", "--preset", "mine", "--max-new-tokens", "4", "--json",
        "--data-dir", tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    ift, urial = json.loads(result.stdout)["turns"][0]["answers"]
    assert (ift["variant"], ift["adapter"], urial["variant"]) == ("again", "again", "urial")
    assert urial["prompt"].count("# Query:") == 9
    recorded = Store(tmp_path).load(json.loads(result.stdout)["id"])
    assert {variant.sampling.repetition_penalty for variant in recorded.variants} == {1.3}
    failed(tandem("chat", "Hi", "--preset", "none"), 2, "There is no preset 'none': choose one of pocket, ")
    failed(tandem("chat", "Hi", "--preset", "pocket", "--base", "x/y"), 2, "leave out --base")


def test_history_lists_what_chat_recorded(tmp_path: Path) -> None:
    tandem("chat", "What is the opposite of hot?", "--lane", "base:max_new_tokens=2", "--data-dir", tmp_path)
    rows = json.loads(tandem("history", "opposite", "--json", "--data-dir", tmp_path).stdout)
    assert [(row["title"], row["turns"]) for row in rows] == [("What is the opposite of hot?", 1)]
    assert json.loads(tandem("history", "nothing", "--json", "--data-dir", tmp_path).stdout) == []
    assert "  1 turn  What is" in invoke("history", "--data-dir", tmp_path).stdout
