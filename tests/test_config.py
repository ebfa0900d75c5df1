"""Settings: flags before environment before defaults."""

from pathlib import Path

import pytest

from playground.config import Settings
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
