"""Tests that chat templates are found and rendered as in Transformers."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from playground.aligners.chat import prompt
from playground.aligners.chat_options import ChatOptions
from playground.aligners.ift import Aligner
from playground.lanes.variant import parse_lane
from playground.library import Library, tokenizer_chat_format
from playground.templates import find_ends, template_problem, template_variables
from playground.types import ChatFormat, InputError, Message, StopRule, Variant, to_json
from tests.helpers.paths import POCKET

TALK = [
    Message(role="user", text="Hi"),
    Message(role="assistant", text="Yo"),
    Message(role="user", text="Bye"),
]
LOOP = "{% for m in messages %}"
CHATML = (
    LOOP + "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PLAIN = LOOP + "{{ bos_token + m.role + ': ' + m.content + eos_token }}{% endfor %}"
ALPACA = (
    LOOP + "{% if m.role == 'user' %}{{ '### Instruction:\n' + m.content + '\n\n' }}"
    "{% else %}{{ '### Response:\n' + m.content + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)


def folder(
    tmp_path: Path, template: object = None, config: dict[str, Any] | None = None, **files: str
) -> Path:
    """A copy of the pocket model's tokenizer with a template in its configuration, and other files."""
    here = tmp_path / "tokenizer"
    here.mkdir()
    shutil.copyfile(POCKET / "tokenizer.json", here / "tokenizer.json")
    table = json.loads((POCKET / "tokenizer_config.json").read_text()) | (config or {})
    if template is not None:
        table["chat_template"] = template
    kept = {key: value for key, value in table.items() if value is not None}
    (here / "tokenizer_config.json").write_text(json.dumps(kept))
    for name, text in files.items():
        path = here / name.replace("__", "/").replace("_jinja", ".jinja").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return here


def expected(here: Path, talk: list[Message] = TALK, **options: object) -> str:
    """What Transformers writes."""
    from transformers import AutoTokenizer

    said = [{"role": message.role, "content": message.text} for message in talk]
    tokenizer = AutoTokenizer.from_pretrained(here)
    text: str = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True, **options)
    return text


def written(here: Path, **options: Any) -> str:
    format = tokenizer_chat_format(here)
    assert format is not None
    return prompt(format, TALK, None, ChatOptions(**options)).text


@pytest.mark.parametrize(
    "template",
    [
        PLAIN,
        CHATML,
        ALPACA,
        LOOP + "{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
        "{{ messages | tojson(indent=1) }}{{ pad_token }}{{ unk_token }}{{ sep_token }}",
        "{%- set ns = namespace(n=0) %}" + LOOP + "{% set ns.n = ns.n + 1 %}{% if ns.n > 1 %}{% break %}"
        "{% endif %}{{ ns.n }}{% endfor %}{{ dict(a=1) }}",
        "{% macro say(m) %}{{ m.content | trim | upper }}{% endmacro %}" + LOOP + "{{ say(m) }}{% endfor %}",
        "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}{{ nothing is defined }}",
        LOOP + "{{ m.content.split('</think>')[-1].lstrip('\n') }}{{ m.get('tool_calls') }}{% endfor %}",
    ],
)
def test_a_template_is_rendered_as_transformers_does(tmp_path: Path, template: str) -> None:
    here = folder(tmp_path, template)
    assert written(here) == expected(here)


def test_today_stands_in_a_template_that_asks_for_it(tmp_path: Path) -> None:
    here = folder(tmp_path, "{{ strftime_now('%d %b %Y') }}")
    assert written(here) == datetime.now().strftime("%d %b %Y")


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ({"bos_token": None, "eos_token": None, "tokenizer_class": "LlamaTokenizerFast"}, {}),
        (
            {"bos_token": None, "eos_token": None},
            {"special_tokens_map_json": '{"bos_token": {"content": "<s>"}, "eos_token": "</s>"}'},
        ),
        ({"bos_token": {"content": "<s>", "__type": "AddedToken"}, "eos_token": "<pad>"}, {}),
        ({"eos_token": "<|new|>"}, {}),
    ],
)
def test_special_tokens_are_the_tokenizers_own(
    tmp_path: Path, config: dict[str, Any], files: dict[str, Any]
) -> None:
    here = folder(tmp_path, PLAIN + "{{ pad_token }}{{ unk_token }}", config, **files)
    assert written(here) == expected(here)


def test_templates_are_found_as_transformers_finds_them(tmp_path: Path) -> None:
    here = folder(tmp_path, "in the configuration", chat_template_jinja="in a file")
    assert written(here) == expected(here) == "in a file"
    (here / "additional_chat_templates").mkdir()
    (here / "additional_chat_templates" / "rag.jinja").write_text("another")
    assert written(here) == expected(here) == "in a file"
    named = tokenizer_chat_format(here, "rag")
    assert named is not None
    assert named.template == "another"


def test_a_processors_legacy_file_is_read(tmp_path: Path) -> None:
    here = folder(tmp_path, chat_template_json=json.dumps({"chat_template": "legacy"}))
    assert written(here) == "legacy"


@pytest.mark.parametrize(
    ("templates", "name", "text"),
    [
        ([{"name": "default", "template": "D"}, {"name": "rag", "template": "R"}], None, "D"),
        ([{"name": "default", "template": "D"}, {"name": "rag", "template": "R"}], "rag", "R"),
        ([{"name": "only", "template": "O"}], None, "O"),
        (["a plain text"], None, "a plain text"),
        ([{"template": "no name"}], None, "no name"),
        (["first", {"template": "second"}], "template-2", "second"),
        ({"default": "D", "rag": "R"}, "rag", "R"),
    ],
)
def test_a_template_is_chosen_by_name(tmp_path: Path, templates: Any, name: str | None, text: str) -> None:
    format = tokenizer_chat_format(folder(tmp_path, templates), name)
    assert format is not None
    assert prompt(format, TALK, None).text == text


def lane_of(tmp_path: Path, here: Path, spec: str) -> tuple[Variant, Library]:
    """A lane of an adapter with these tokenizer files."""
    config = {"base_model_name_or_path": str(POCKET), "peft_type": "LORA"}
    (here / "adapter_config.json").write_text(json.dumps(config))
    library = Library.open(str(POCKET), {"x": str(here)})
    return parse_lane(spec, library), library


def aligner_of(variant: Variant) -> Aligner:
    assert isinstance(variant.aligner, Aligner)
    return variant.aligner


def test_several_templates_without_a_default_are_named_in_the_lane(tmp_path: Path) -> None:
    several = [{"name": "rag", "template": "R"}, {"name": "tools", "template": "T"}]
    here = folder(tmp_path, several)
    variant, library = lane_of(tmp_path, here, "x")
    with pytest.raises(InputError, match="no default: set the lane's template to one of rag, tools"):
        variant.aligner(TALK)
    assert library.template_names("x") == ("rag", "tools")
    assert parse_lane("x:template=tools", library).aligner(TALK).text == "T"
    with pytest.raises(InputError, match="no chat template 'none': choose one of rag, tools"):
        parse_lane("x:template=none", library)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat_template.jinja", b"\xff\xfe\xff"),
        ("tokenizer_config.json", b"[" * 100_000),
        ("tokenizer_config.json", b"[]"),
        ("tokenizer_config.json", b'{"chat_template": 5}'),
        ("tokenizer_config.json", b'{"chat_template": [{"name": "x"}]}'),
        ("tokenizer.json", b'{"chat": 1}'),
    ],
)
def test_files_that_cannot_be_read_are_one_sentence_in_their_lane(
    tmp_path: Path, name: str, content: bytes
) -> None:
    here = folder(tmp_path, CHATML)
    (here / name).write_bytes(content)
    variant, library = lane_of(tmp_path, here, "x")
    assert parse_lane("base", library).aligner(TALK).text
    with pytest.raises(InputError) as caught:
        variant.aligner(TALK)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 + messages[0].content }}",
        "{% include 'x' %}",
        "{{ nothing.at.all }}",
        "{{ 1 / 0 }}",
        "{% for %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ raise_exception('line one\nline two') }}",
        "{{ raise_exception() }}",
        "{{ raise_exception({}) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ '%s %s' % 1 }}",
        "{{ 'x' * 30000000 }}",
        "{{ messages | nothing }}",
        "{{ '\ud800' }}",
    ],
)
def test_whatever_a_template_raises_is_one_sentence(template: str) -> None:
    with pytest.raises(InputError) as caught:
        prompt(ChatFormat(template=template), TALK, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "added", "ends"),
    [
        (CHATML, ("<|im_end|>",), ("<|im_end|>",)),
        (CHATML, (), ("<|im_end|>",)),
        (ALPACA, (), ("\n### Instruction:",)),
        (PLAIN, (), ("</s>",)),
        (LOOP + "{{ m.role + ': ' + m.content + '\n' }}{% endfor %}", (), ("\nuser:",)),
        (LOOP + "{{ m.content }}{% endfor %}", (), ()),
        (LOOP + "{{ m.content + '\n' }}{% endfor %}", ("\n",), ()),
        (
            LOOP + "{{ m.content + '<a>' + ('' if loop.last else '<b>') }}{% endfor %}",
            ("<a>", "<b>"),
            ("<a>",),
        ),
        (
            LOOP + "{{ m.content + ('<end>' if loop.last else '<turn>') }}{% endfor %}",
            ("<end>", "<turn>"),
            ("<end>", "<turn>"),
        ),
        # Markers that begin alike are each a whole one.
        (
            LOOP + "{{ m.content + ('</s>' if loop.last else '<|im_end|>\n') }}{% endfor %}",
            (),
            ("</s>", "<|im_end|>"),
        ),
        (
            LOOP + "{{ m.content + ('<|return|>' if loop.last else '<|end|><|start|>user') }}{% endfor %}",
            (),
            ("<|return|>", "<|end|>"),
        ),
        (
            LOOP + "{{ m.content + ('\n### End' if loop.last else '\n### User: ') }}{% endfor %}",
            (),
            ("\n### End", "\n### User:"),
        ),
        (
            LOOP + "{{ m.content + ('STOP' if loop.last else 'STOP User: ') }}{% endfor %}",
            (),
            ("STOP",),
        ),
        # A marker that also ends the reasoning before an answer does not end the answer.
        (
            LOOP + "{{ m.get('thinking', '') + ('<next>' if m.get('thinking') else '') + m.content + "
            "('<return>' if loop.last else '<next>') }}{% endfor %}",
            ("<next>", "<return>"),
            ("<return>",),
        ),
        ("{{ raise_exception('no') }}", (), ()),
    ],
)
def test_what_the_template_writes_after_an_answer_ends_it(
    template: str, added: tuple[str, ...], ends: tuple[str, ...]
) -> None:
    format = ChatFormat(template=template, bos_token="<s>", eos_token="</s>")
    assert find_ends(format, added) == ends


def test_ends_are_in_the_prompts_stop_rule(tmp_path: Path) -> None:
    format = tokenizer_chat_format(folder(tmp_path, ALPACA))
    assert format is not None
    assert prompt(format, TALK, None).stop == StopRule(tokens=("</s>",), texts=("\n### Instruction:",))


SETTABLE = (
    "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}"
    "{{ date_string }}{% if enable_thinking is defined and enable_thinking is false %}no thinking{% endif %}"
    "{% for m in messages %}{{ m.role + m.content }}{% endfor %}{{ n }}"
)


def test_a_lane_sets_what_its_template_reads(tmp_path: Path) -> None:
    here = folder(tmp_path, SETTABLE)
    variant, library = lane_of(tmp_path, here, 'x:enable_thinking=false,date_string="1 May, 2025",n=3')
    given: dict[str, Any] = {"enable_thinking": False, "date_string": "1 May, 2025", "n": 3}
    assert variant.aligner(TALK).text == expected(here, **given)
    assert template_variables(aligner_of(variant).format) == ("date_string", "enable_thinking", "n")
    with pytest.raises(InputError, match="uses the variables date_string, enable_thinking, n, so remove"):
        parse_lane("x:enable_thinkin=false", library)
    quoted = parse_lane('x:n="3",date_string=007,enable_thinking=null', library)
    assert dict(aligner_of(quoted).options.variables) == {
        "n": "3",
        "date_string": "007",
        "enable_thinking": None,
    }


def test_a_template_with_an_error_is_reported_before_its_variables(tmp_path: Path) -> None:
    here = folder(tmp_path, "{% for m in messages %}{{ m.content }}")
    with pytest.raises(InputError, match="The chat template cannot be read: "):
        lane_of(tmp_path, here, "x:enable_thinking=false")


def test_a_lane_has_a_system_message(tmp_path: Path) -> None:
    here = folder(tmp_path, CHATML)
    variant, library = lane_of(tmp_path, here, 'x:system="Be brief, please."')
    prompt = variant.aligner(TALK)
    assert prompt.text.startswith("<|im_start|>system\nBe brief, please.<|im_end|>\n<|im_start|>user\nHi")
    assert [part.kind for part in prompt.parts] == ["instruction", "history", "message", "cue"]
    taken = parse_lane("x:instruction=general-3", library)
    assert aligner_of(taken).options.system == library.demo_set("general-3").instruction.strip()
    for spec, reason in (
        ("x:instruction=general-3,system=a", "remove one of them"),
        ("x:instruction=none", "no demonstration set"),
        ("x:think=maybe", "choose one of drop, keep"),
        ("x:template=other", "no chat template 'other'"),
    ):
        with pytest.raises(InputError, match=reason):
            parse_lane(spec, library)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            "{% if messages[0].role != 'user' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN,
            "does not accept a system message.*no system",
        ),
        (
            LOOP + "{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
            "ignores the system message",
        ),
    ],
)
def test_a_template_without_a_system_role_says_so(template: str, reason: str) -> None:
    format = ChatFormat(template=template, bos_token="<s>", eos_token="</s>")
    with pytest.raises(InputError, match=reason):
        prompt(format, TALK, None, ChatOptions(system="Be brief."))


def test_a_template_that_needs_a_system_message_says_so_and_its_ends_are_found() -> None:
    check = "{% if messages[0].role != 'system' %}{{ raise_exception('No system!') }}{% endif %}"
    format = ChatFormat(template=check + PLAIN, eos_token="</s>")
    reason = r'requires a system message \(No system\): add one to the lane, as in system="\.\.\."\.$'
    with pytest.raises(InputError, match=reason):
        prompt(format, TALK, None)
    assert re.search(reason, template_problem(format))
    assert prompt(format, TALK, None, ChatOptions(system="Be brief.")).text.startswith("system: Be brief.")
    assert find_ends(format) == find_ends(ChatFormat(template=PLAIN, eos_token="</s>")) != ()


def test_the_history_has_reasoning_only_where_it_is_kept() -> None:
    talk = [TALK[0], Message(role="assistant", text="<think>\nhm\n</think>\n\nYo"), TALK[2]]
    format = ChatFormat(template=PLAIN, eos_token="|")
    assert prompt(format, talk, None).text == "user: Hi|assistant: Yo|user: Bye|"
    assert "<think>\nhm\n</think>\n\nYo" in prompt(format, talk, None, ChatOptions(think="keep")).text


def test_lanes_are_recorded_and_old_records_read(tmp_path: Path) -> None:
    here = folder(tmp_path, SETTABLE)
    variant, _ = lane_of(tmp_path, here, 'x:n=3,system="a, b",think=keep')
    data = json.loads(json.dumps(to_json(variant.aligner)))
    assert Aligner.from_json(data) == aligner_of(variant)
    old = {"kind": "ift", "adapter": "x", "format": {"template": PLAIN, "bos_token": "", "eos_token": "|"}}
    aligner = Aligner.from_json(old)
    assert aligner(TALK).text == "user: Hi|assistant: Yo|user: Bye|"
    assert aligner(TALK).stop == StopRule(tokens=("|",))
