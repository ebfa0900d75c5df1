"""Tests for recognising servers, and for matching what they serve with the library."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from playground.config import Settings
from playground.engine.remote import RemoteEngine
from playground.engine.remote.pieces import locate_pieces
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.types import InputError, Prompt
from tests.engine.remote.conftest import Connect, Serve, ask, request
from tests.helpers.completions_server import Asked, Body, list_models
from tests.helpers.paths import POCKET


def hello(asked: Asked, body: Body) -> None:
    asked.stream(["Hello", " friend."])


@cache
def pocket_tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET)


def counting(begins: int) -> Any:
    """Answer like a server that prepends tokens to each prompt and reports only the number of its tokens."""

    def answer(asked: Asked, body: Body) -> None:
        if body.get("stream"):
            asked.begin()
            asked.emit_text("Hello friend.", "stop")
            asked.end_stream()
        else:
            ids = pocket_tokenizer()(body["prompt"], add_special_tokens=False)["input_ids"]
            asked.send({"choices": [{"text": "x"}], "usage": {"prompt_tokens": len(ids) + begins}})

    return answer


@pytest.mark.parametrize(
    ("models", "pages", "label", "context"),
    [
        (list_models("m"), {"/version": {"version": "0.32.0"}}, "vLLM 0.32.0 at ", 4096),
        (
            list_models("m", owner="sglang", context=2048),
            {"/get_server_info": {"version": "0.5.1"}},
            "SGLang 0.5.1 at ",
            2048,
        ),
        (
            list_models("m", owner="llamacpp", context=None),
            {"/props": {"default_generation_settings": {"n_ctx": 8192}, "build_info": "b6000"}},
            "llama.cpp b6000 at ",
            8192,
        ),
        (
            list_models("m", owner="x", context=None),
            {"/info": {"version": "3.3.0", "max_total_tokens": 1024}},
            "TGI 3.3.0 at ",
            1024,
        ),
        (
            list_models("m", owner="HuggingFaceTB", context=None),
            {"/openapi.json": {"paths": {"/load_model": {}, "/reset": {}, "/v1/models": {}}}},
            "transformers serve at ",
            None,
        ),
        (list_models("m", owner="x", context=None), {}, "OpenAI-compatible server at ", None),
    ],
)
def test_each_kind_of_server_is_recognised(
    serve: Serve, connect: Connect, models: Body, pages: dict[str, Any], label: str, context: int | None
) -> None:
    server = serve(counting(0), models=models)
    server.pages = {"/v1/models": models, **pages}
    if models["data"][0]["owned_by"] in ("vllm", "sglang"):
        server.pages["/tokenize"] = {}
    status = connect(server).status()
    assert status.state == "ready", status.note
    assert status.server == f"{label}127.0.0.1:{server.server_port}"
    assert status.context == context
    assert status.base == "m"
    assert ("token counts are estimated" in status.gaps) == (
        "vLLM" not in label and "SGLang" not in label and "llama" not in label
    )


def test_a_server_with_several_models_needs_a_name(serve: Serve, connect: Connect) -> None:
    server = serve(hello, models=list_models("one", "two"))
    note = connect(server).status().note
    assert f"serves several models: choose one with --remote {server.url}/v1=MODEL" in note
    assert "one, two" in note
    engine = connect(f"{server.url}=two")
    assert engine.status().base == "two"
    assert ask(engine, request())[0].text == "Hello friend."
    assert "does not serve 'three': choose one of one, two" in connect(f"{server.url}=three").status().note


def test_a_lora_module_is_not_taken_for_the_base(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    note = connect(f"{server.url}=tuned").status().note
    assert "'tuned' at " in note
    assert f"is a LoRA module of 'base', and not a base model: write --remote {server.url}/v1=base" in note


def test_servers_of_different_bases_are_refused(serve: Serve, connect: Connect) -> None:
    one, two = serve(hello, models=list_models("a/llama")), serve(hello, models=list_models("b/qwen"))
    note = connect(one, two).status().note
    assert note == (
        f"The servers at {one.url}/v1 and {two.url}/v1 serve different base models (a/llama and b/qwen): "
        "start Tandem once for each base."
    )


def test_an_adapter_made_for_another_base_is_refused(serve: Serve, connect: Connect) -> None:
    server = serve(hello, models=list_models("big/llama", modules={"pocket-ift": "big/llama"}))
    engine = connect(server)
    (entry,) = engine.status().adapters
    assert entry.error is not None
    assert "'pocket-ift' was made for base 'models/pocket'" in entry.error
    assert ask(engine, request(adapter="pocket-ift"))[0].error == entry.error


def test_base_and_adapter_can_be_on_two_servers(serve: Serve, connect: Connect) -> None:
    one = serve(hello, models=list_models("a/llama"))
    two = serve(hello, models=list_models("a/llama", modules={"tuned": "a/llama"}))
    engine = connect(one, two)
    replies = ask(engine, request(), request(adapter="tuned"))
    assert [reply.finish for reply in replies] == ["stop", "stop"]
    assert [body["model"] for body in one.bodies] == ["a/llama"]
    assert [body["model"] for body in two.bodies] == ["tuned"]


def test_a_merged_model_can_be_an_adapter(serve: Serve, connect: Connect) -> None:
    one, two = serve(hello, models=list_models("a/llama")), serve(hello, models=list_models("a/llama-ift"))
    engine = connect(one, two, adapters=["ift-lane=a/llama-ift"])
    assert ask(engine, request(adapter="ift-lane"))[0].text == "Hello friend."
    assert two.bodies[0]["model"] == "a/llama-ift"


def test_an_adapter_that_is_not_served_says_so(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    engine = connect(serve(hello), adapters=["mine=nowhere"])
    error = ask(engine, request(adapter="mine"))[0].error
    assert error is not None
    assert "does not serve 'nowhere', named for adapter 'mine': load it there, or name one of tuned." in error
    library = Library(base="base")
    session = Session(engine, library, Store(tmp_path))
    for spec in ("mine", "urial:adapter=mine"):
        with pytest.raises(InputError, match="does not serve 'nowhere', named for adapter 'mine'"):
            session.variant(spec)
    session.close()


def test_local_adapters_that_are_not_served_are_listed_with_what_to_do(
    serve: Serve,
) -> None:
    server = serve(hello, models=list_models("somewhere/pocket"))
    library = Library.open("")
    engine = RemoteEngine(Settings(remotes=((f"{server.url}/v1", None),), base=""), library)
    engine.wait_until_checked(20)
    try:
        assert "pocket-ift" in library.not_served
        with pytest.raises(InputError, match="--lora-modules pocket-ift=FOLDER"):
            library.adapter("pocket-ift")
        with pytest.raises(InputError, match="is not served by the server"):
            parse_lane("pocket-ift", library)
    finally:
        engine.close()


def test_an_adapter_cannot_be_used_before_the_base_is_known() -> None:
    with pytest.raises(InputError, match="until the server has said which base model it serves"):
        parse_lane("pocket-ift", Library.open(""))


def test_a_tokenizer_that_does_not_match_is_refused(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    note = connect(server, tokenizer="models/pocket").status().note
    assert "The tokenizer models/pocket is not that of base at" in note
    assert "name the model's own tokenizer" in note
    assert server.bodies == []  # nothing has been asked


def test_a_tokenizer_that_does_not_exist_is_refused(serve: Serve, connect: Connect) -> None:
    assert "There is no model folder ./nowhere" in connect(serve(hello), tokenizer="./nowhere").status().note


# --- The beginning of a prompt --------------------------------------------------------------------


@pytest.mark.parametrize("begins", [0, 1])
def test_no_bos_is_doubled_or_missing(serve: Serve, connect: Connect, begins: int) -> None:
    """The pocket model's tokenizer, which has the BOS token, is known from the name of the base."""
    server = serve(counting(begins), models=list_models("models/pocket", owner="x", context=None))
    server.pages = {"/v1/models": server.pages["/v1/models"]}
    engine = connect(server)
    assert engine.status().state == "ready", engine.status().note
    chat = request("<s>Hi", prompt={"bos": False, "control_tokens": True})
    ask(engine, request("Hi"), chat)
    sent = sorted(body["prompt"] for body in server.bodies if body.get("stream"))
    assert sent == (["Hi", "Hi"] if begins else ["<s>Hi", "<s>Hi"])


def test_control_tokens_in_a_message_are_reported(serve: Serve, connect: Connect) -> None:
    """vLLM reads them as such in any text, and here no tokenizer is known that could send them as ids."""
    server = serve(hello, models=list_models("models/pocket", modules={"pocket-ift": "models/pocket"}))
    reply = ask(connect(server), request("What is </s> for?"))[0]
    assert "vLLM reads </s> in this prompt as control tokens" in reply.notes[0]


# --- Pieces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces", "starts"),
    [
        ("Hi there\n", ["<s>", "\u2581Hi", "\u2581there", "<0x0A>"], [None, 0, 2, 8]),
        ("\u00e9 \u96ea", ["<s>", "\u00c3\u00a9", "\u0120", "\u00e9\u013d", "\u00aa"], [None, 0, 1, 2, 2]),
        ("a b", ["a", "\u0120b"], [0, 1]),
        ("a</s>b", ["a", "</s>", "b"], [0, 1, 5]),
        ("a b", ["x", "y"], [None, None]),
        ("", [], []),
        ("\u96ea", [b"\xe9\x9b", b"\xaa"], [0, 0]),
    ],
)
def test_the_starts_of_tokens_are_found(
    text: str, pieces: list[str | bytes], starts: list[int | None]
) -> None:
    assert locate_pieces(text, pieces) == starts


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "want"),
    [
        (
            {"remotes": ["127.0.0.1:8000"]},
            "--remote must be a URL that begins with http:// or https://, or URL=MODEL, not '127.0.0.1:8000'",
        ),
        ({"remotes": [""]}, "--remote is empty: name a server such as http://127.0.0.1:8000"),
        ({"remotes": ["http://"]}, "'http://' has no host name: enter one such as"),
        ({"remotes": ["ftp://x"]}, "must be a URL that begins with http:// or https://"),
        ({"remotes": ["http://x:0"]}, "must be a number from 1 to 65535"),
        ({"remotes": ["http://me:secret@x/v1"]}, "Remove the user name and password"),
        ({"remotes": ["http://x", "http://x/v1"]}, "--remote names the server http://x/v1 twice"),
        (
            {"remotes": ["http://x"], "quantize": "4bit"},
            "--quantize applies to a model on this machine, but --remote uses a server's model",
        ),
        ({"remotes": ["http://x"], "device": "cuda"}, "--device applies to a model on this machine"),
        ({"tokenizer": "x"}, "--tokenizer names the tokenizer of a server's model: add --remote"),
    ],
)
def test_settings_that_make_no_sense_are_refused(flags: dict[str, Any], want: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.read(flags, {})
    assert want in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_environment_names_servers_and_the_key() -> None:
    environ = {"TANDEM_REMOTE": "http://a:1=llama, http://b:2/api/v1", "TANDEM_REMOTE_KEY": "sk-secret-1"}
    settings = Settings.read({}, environ)
    assert settings.remotes == (("http://a:1/v1", "llama"), ("http://b:2/api/v1", None))
    assert settings.base == ""
    assert "sk-secret" not in repr(settings)
    key = settings.remote_key_of("http://a:1/v1")
    assert key is not None
    assert key.reveal() == "sk-secret-1"
    assert settings.remote_key_of("http://elsewhere/v1") is None


def test_tokens_come_from_the_server(serve: Serve, connect: Connect) -> None:
    engine = connect(serve(hello))
    assert engine.status().tokens == "the server"
    tokens = engine.tokens(Prompt(text="Hi there"))
    assert tokens is not None
    assert [(token.piece, token.start) for token in tokens] == [("<s>", None), ("Hi", 0), ("\u2581there", 2)]
