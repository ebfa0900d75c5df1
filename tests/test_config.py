"""Tests for settings: flags override environment variables, which override defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from playground.config import (
    LISTS,
    READERS,
    Settings,
    find_persistent_storage,
    flag_name,
    variable_name,
)
from playground.rate_limits import PUBLIC, Limits
from playground.types import InputError
from tests.helpers.checked import there


def test_defaults_need_no_flag_and_no_variable() -> None:
    settings = Settings.read({}, {"XDG_DATA_HOME": "/x"})
    assert settings.base == "models/pocket"
    assert (settings.host, settings.port, settings.public) == ("127.0.0.1", None, False)
    assert settings.data_dir == Path("/x/tandem")


def test_flags_come_before_the_environment_and_the_environment_before_defaults() -> None:
    environ = {
        "TANDEM_BASE": "a/b",
        "TANDEM_PORT": "7000",
        "TANDEM_ADAPTERS": "x=a/x, y=./y",
        "TANDEM_PUBLIC": "1",
    }
    settings = Settings.read({"base": None, "port": "7001", "device": "cpu"}, environ)
    assert (settings.base, settings.port, settings.device) == ("a/b", 7001, "cpu")
    assert settings.adapters == (("x", "a/x"), ("y", "./y"))
    assert settings.public
    assert Settings.read({"adapters": ["z=c/d"]}, environ).adapters == (("z", "c/d"),)


def test_the_judge_is_set_by_flags_and_variables_and_its_key_by_variables_alone() -> None:
    environ = {
        "OPENAI_API_KEY": "sk-one",
        "TANDEM_JUDGE_URL": "http://127.0.0.1:8000/v1",
        "TANDEM_JUDGE_MODEL": "a",
        "TANDEM_JUDGE_BUDGET": "50_000",
        "TANDEM_JUDGE_PRICES": "2.5, 10, EUR",
        "TANDEM_JUDGE_TIMEOUT": "9.5",
    }
    settings = Settings.read({"judge_model": "b", "judge_budget": None}, environ)
    assert (settings.judge_model, settings.judge_url) == ("b", "http://127.0.0.1:8000/v1")
    assert (settings.judge_budget, settings.judge_timeout) == (50_000, 9.5)
    assert settings.judge_prices == (2.5, 10.0, "EUR")
    assert there(settings.judge_key).reveal() == "sk-one"
    assert "sk-one" not in repr(settings)
    other = Settings.read({}, environ | {"TANDEM_JUDGE_KEY": "sk-two"})
    assert there(other.judge_key).reveal() == "sk-two"
    plain = Settings.read({}, {})
    assert (plain.judge_key, plain.judge_model, plain.judge_budget) == (None, None, None)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TIMEOUT", "0", "TANDEM_JUDGE_TIMEOUT must be a number of seconds above 0, not '0'"),
        ("TIMEOUT", "soon", "TANDEM_JUDGE_TIMEOUT must be a number of seconds"),
        ("BUDGET", "-1", "TANDEM_JUDGE_BUDGET must be an integer number of tokens, not '-1'"),
        ("PRICES", "2.5,10", "for example 2.50,10,USD, not '2.5,10'"),
        ("PRICES", "a,b,USD", "TANDEM_JUDGE_PRICES must be a price"),
    ],
)
def test_a_wrong_judge_setting_is_reported(variable: str, value: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.read({}, {f"TANDEM_JUDGE_{variable}": value})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"quantize": "8bit"}, "--quantize must be one of auto, 4bit, none, not '8bit'"),
        ({"device": "tpu"}, "--device must be one of auto, cpu, cuda, not 'tpu'"),
        ({"port": "70000"}, "--port must be an integer from 1 to 65535, not '70000'"),
        ({"port": "http"}, "--port must be an integer"),
        ({"adapters": ["=x"]}, "--adapter must be NAME=ID or NAME=PATH, not '=x'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.read(flags, {})
    assert said in str(caught.value)


ANY_TEXT = {"base", "host", "hosts", "data_dir", "judge_model", "judge_url", "tokenizer"}
"""Settings that accept any text."""


@pytest.mark.parametrize("name", sorted(set(READERS) - ANY_TEXT))
def test_an_error_names_the_flag_or_the_variable_that_the_value_comes_from(name: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.read({}, {variable_name(name): "?!"})
    assert str(caught.value).startswith(f"{variable_name(name)} must be ")
    with pytest.raises(InputError) as caught:
        Settings.read({name: ["?!"] if name in LISTS else "?!"}, {})
    assert str(caught.value).startswith(f"{flag_name(name)} must be ")


def test_limits_are_those_of_a_public_page_unless_told_otherwise() -> None:
    assert Settings.read({}, {}).limits == Limits()
    assert Settings.read({"public": True}, {}).limits == PUBLIC
    environ = {"TANDEM_PUBLIC": "1", "TANDEM_MAX_TOKENS": "64", "TANDEM_QUEUE": "0"}
    limits = Settings.read({"max_turns": "5"}, environ).limits
    assert (limits.max_tokens, limits.max_turns, limits.queue) == (64, 5, None)
    assert limits.visitor_messages == PUBLIC.visitor_messages
    assert Settings.read({"max_tokens": "64"}, {}).limits == Limits(max_tokens=64)


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "1" * 30])
def test_a_limit_is_a_whole_number(text: str) -> None:
    with pytest.raises(InputError, match=r"^TANDEM_MAX_TOKENS must be an integer"):
        Settings.read({}, {"TANDEM_MAX_TOKENS": text})


def test_a_password_is_read_and_never_shown() -> None:
    settings = Settings.read({}, {"TANDEM_AUTH": "ada:ABC:123"})
    assert settings.auth == ("ada", "ABC:123")
    assert "ABC" not in repr(settings)
    for text in ("ada", ":secret", "ada:", "secretpassword"):
        with pytest.raises(InputError) as caught:
            Settings.read({"auth": text}, {})
        assert "secret" not in str(caught.value)


def test_two_adapters_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="--adapter uses the name 'g' twice"):
        Settings.read({"adapters": ["g=one", "h=two", "g=three"]}, {})


def test_a_space_has_a_proxy_of_its_own() -> None:
    assert Settings.read({}, {}).proxies == 0
    assert Settings.read({}, {"SPACE_ID": "a/b"}).proxies == 1
    assert Settings.read({"proxies": "2"}, {"SPACE_ID": "a/b"}).proxies == 2
    assert Settings.read({}, {"TANDEM_HOSTS": "One.example, two.example"}).hosts == (
        "one.example",
        "two.example",
    )


def test_pickles_and_code_of_a_repository_are_off_unless_they_are_asked_for() -> None:
    assert not Settings.read({}, {}).allow_pickle
    assert not Settings.read({}, {}).trust_remote_code
    assert Settings.read({"allow_pickle": True}, {}).allow_pickle
    environ = {"TANDEM_ALLOW_PICKLE": "1", "TANDEM_TRUST_REMOTE_CODE": "yes"}
    settings = Settings.read({}, environ)
    assert settings.allow_pickle
    assert settings.trust_remote_code
    assert not Settings.read({}, {"TANDEM_ALLOW_PICKLE": "0"}).allow_pickle
    with pytest.raises(InputError, match="TANDEM_TRUST_REMOTE_CODE must be 1 or 0, not 'maybe'"):
        Settings.read({}, {"TANDEM_TRUST_REMOTE_CODE": "maybe"})


@pytest.mark.parametrize("public", [({"public": True}, {}), ({}, {"TANDEM_PUBLIC": "1"})])
def test_code_of_a_repository_never_runs_in_public_mode(public: tuple[dict[str, Any], ...]) -> None:
    flags, environ = public
    with pytest.raises(InputError, match=r"^--trust-remote-code cannot be used in public mode"):
        Settings.read({**flags, "trust_remote_code": True}, environ)
    with pytest.raises(InputError, match=r"^TANDEM_TRUST_REMOTE_CODE cannot be used in public mode"):
        Settings.read(flags, {**environ, "TANDEM_TRUST_REMOTE_CODE": "1"})


SWITCHES = ("public", "shared_history", "allow_pickle", "trust_remote_code", "same_base")


@pytest.mark.parametrize("name", SWITCHES)
def test_a_boolean_variable_takes_the_usual_words(name: str) -> None:
    for text in ("1", "true", "YES", " On ", "y\n", " true "):
        assert getattr(Settings.read({}, {f"TANDEM_{name.upper()}": text}), name) is True, text
    for text in ("0", "False", "no", " OFF ", "n", "", "  "):
        assert getattr(Settings.read({}, {f"TANDEM_{name.upper()}": text}), name) is False, text


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("text", ["maybe", "enabled", "2", "truee", "-1", "None", "1 1", "\uff11"])
def test_a_boolean_variable_with_another_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.read({}, {f"TANDEM_{name.upper()}": text})
    assert str(caught.value) == (
        f"TANDEM_{name.upper()} must be 1 or 0, not {text!r}: to turn it on, use 1, true, yes, on, y; "
        "to turn it off, use 0, false, no, off, n or leave it empty."
    )


def test_a_variable_that_makes_the_page_public_is_never_taken_for_false() -> None:
    assert Settings.read({}, {"TANDEM_PUBLIC": " true "}).limits == PUBLIC
    with pytest.raises(InputError, match="cannot be used in public mode"):
        Settings.read({}, {"TANDEM_PUBLIC": "Y", "TANDEM_TRUST_REMOTE_CODE": "1"})


# --- Hugging Face Spaces --------------------------------------------------------------------------

MOUNT = Path("/dev/shm")
"""A folder that is a mount and can be written, as the persistent storage of a Space."""


@pytest.mark.skipif(not (MOUNT.is_mount() and os.access(MOUNT, os.W_OK)), reason="no writable mount")
def test_a_space_keeps_its_data_in_persistent_storage_if_it_has_any(tmp_path: Path) -> None:
    assert find_persistent_storage({"SPACE_ID": "a/b"}, MOUNT) == MOUNT
    assert find_persistent_storage({}, MOUNT) is None, "not a Space"
    assert find_persistent_storage({"SPACE_ID": "a/b"}, tmp_path) is None, "a folder like all others"
    assert find_persistent_storage({"SPACE_ID": "a/b"}, tmp_path / "none") is None


def test_a_space_without_persistent_storage_loses_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"SPACE_ID": "a/b", "XDG_DATA_HOME": "/x"}
    monkeypatch.setattr("playground.config.PERSISTENT", tmp_path / "none")
    settings = Settings.read({}, space)
    assert (settings.is_ephemeral, settings.data_dir) == (True, Path("/x/tandem"))
    own = Settings.read({}, {**space, "TANDEM_DATA_DIR": "/bucket"})
    assert (own.is_ephemeral, own.data_dir) == (False, Path("/bucket"))
    assert not Settings.read({}, {"XDG_DATA_HOME": "/x"}).is_ephemeral
    if MOUNT.is_mount():
        monkeypatch.setattr("playground.config.PERSISTENT", MOUNT)
        kept = Settings.read({}, space)
        assert (kept.is_ephemeral, kept.data_dir) == (False, MOUNT)
