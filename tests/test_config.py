"""Settings: flags before environment before defaults."""

from pathlib import Path

import pytest

from playground.config import Settings
from playground.limits import PUBLIC, Limits
from playground.types import InputError


def test_defaults_need_no_flag_and_no_variable():
    settings = Settings.read({}, {"XDG_DATA_HOME": "/x"})
    assert settings.base == "models/pocket"
    assert (settings.host, settings.port, settings.public) == ("127.0.0.1", None, False)
    assert settings.data_dir == Path("/x/tandem")


def test_flags_come_before_the_environment_and_the_environment_before_defaults():
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


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"quantize": "8bit"}, "--quantize must be one of auto, 4bit, none, not '8bit'"),
        ({"device": "tpu"}, "--device must be one of auto, cpu, cuda, not 'tpu'"),
        ({"port": "70000"}, "--port must be a whole number from 1 to 65535, not '70000'"),
        ({"port": "http"}, "--port must be a whole number"),
        ({"adapters": ["=x"]}, "--adapter must be NAME=ID or NAME=PATH, not '=x'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(flags, said):
    with pytest.raises(InputError) as caught:
        Settings.read(flags, {})
    assert said in str(caught.value)


def test_limits_are_those_of_a_public_page_unless_told_otherwise():
    assert Settings.read({}, {}).limits == Limits()
    assert Settings.read({"public": True}, {}).limits == PUBLIC
    environ = {"TANDEM_PUBLIC": "1", "TANDEM_MAX_TOKENS": "64", "TANDEM_QUEUE": "0"}
    limits = Settings.read({"max_turns": "5"}, environ).limits
    assert (limits.max_tokens, limits.max_turns, limits.queue) == (64, 5, None)
    assert limits.visitor_messages == PUBLIC.visitor_messages
    assert Settings.read({"max_tokens": "64"}, {}).limits == Limits(max_tokens=64)


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "1" * 30])
def test_a_limit_is_a_whole_number(text):
    with pytest.raises(InputError, match="--max-tokens must be a whole number"):
        Settings.read({}, {"TANDEM_MAX_TOKENS": text})


def test_a_password_is_read_and_never_shown():
    settings = Settings.read({}, {"TANDEM_AUTH": "ada:ABC:123"})
    assert settings.auth == ("ada", "ABC:123")
    assert "ABC" not in repr(settings)
    for text in ("ada", ":secret", "ada:", "secretpassword"):
        with pytest.raises(InputError) as caught:
            Settings.read({"auth": text}, {})
        assert "secret" not in str(caught.value)


def test_a_space_has_a_proxy_of_its_own():
    assert Settings.read({}, {}).proxies == 0
    assert Settings.read({}, {"SPACE_ID": "a/b"}).proxies == 1
    assert Settings.read({"proxies": "2"}, {"SPACE_ID": "a/b"}).proxies == 2
    assert Settings.read({}, {"TANDEM_HOSTS": "One.example, two.example"}).hosts == (
        "one.example",
        "two.example",
    )
