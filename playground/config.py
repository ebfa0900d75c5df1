"""Settings from flags, environment variables and defaults, in this order of precedence.

Only this module reads environment variables.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from playground.library.presets import find_preset, with_adapters
from playground.rate_limits import PUBLIC, Limits
from playground.secret import Secret
from playground.types import InputError

Quantize = Literal["auto", "4bit", "none"]
Device = Literal["auto", "cpu", "cuda"]

PREFIX = "TANDEM_"
DEFAULT_PORT = 7860
PERSISTENT = Path("/data")
"""Folder at which a Hugging Face Space mounts its persistent storage, if it has any."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a Tandem process."""

    base: str = "models/pocket"
    """Hugging Face Hub ID or folder of the base model. "models/pocket" is the bundled model."""
    preset: str | None = None
    """Preset that sets the base model and suggests other settings.

    None if the base was specified directly.
    """
    adapters: tuple[tuple[str, str], ...] = ()
    """Adapters in addition to those in `adapters/`, as (name, Hub ID or folder) pairs."""
    quantize: Quantize = "auto"
    """Quantization of the base.

    "auto" selects 4-bit precision on CUDA. On a CPU, "auto" selects 4-bit precision only if the float32
    weights do not fit in memory.
    """
    device: Device = "auto"
    allow_pickle: bool = False
    """Whether to allow loading pickled weights (`*.bin`) if no other weights are available."""
    trust_remote_code: bool = False
    """Whether to allow running Python code from the base model's repository. Not available in public mode."""
    same_base: bool = False
    """Whether to suppress warnings about compatible adapters that declare a different base."""
    host: str = "127.0.0.1"
    port: int | None = None
    """Port to listen on. None selects 7860 or the next free port."""
    no_browser: bool = False
    """Whether not to open the page in a browser when the server starts."""
    data_dir: Path = Path("data")
    """Folder for the conversation database and the user's own files."""
    is_ephemeral: bool = False
    """Whether the data folder is lost when the server restarts, as in a Space without persistent storage."""
    public: bool = False
    """Whether to run in public mode. In public mode, the history is hidden, models cannot be loaded, file
    paths are not accepted, files cannot be saved, and the limits in `rate_limits.PUBLIC` apply by default.
    """
    shared_history: bool = False
    """Whether every visitor's history lists the conversations of all visitors."""
    mirror: str | None = None
    """Base URL of a GitHub mirror for `fetch`. The mirror must serve files under the same paths as GitHub."""
    judge_model: str | None = None
    """Default judge model. None if there is no default."""
    judge_url: str = "https://api.openai.com/v1"
    """Base URL of the judge server, which must implement OpenAI's chat API."""
    judge_key: Secret | None = None
    """API key for `judge_url`, never sent to any other server. Read only from the environment."""
    judge_keys: Mapping[str, Secret] = field(default_factory=dict)
    """API keys for other servers, keyed by host name in the form used in environment variables, for example
    "API_MISTRAL_AI".

    Read only from the environment.
    """
    judge_budget: int | None = None
    """Token budget for judging, per UI session. Does not apply to visitors who provide their own API key.

    None means no limit or, in public mode, a budget of 0.
    """
    judge_timeout: float = 120.0
    """Timeout for a judge call, in seconds."""
    judge_prices: tuple[float, float, str] | None = None
    """Prices per million input and output tokens, and their currency.

    If None, costs are reported in tokens only.
    """
    limits: Limits = field(default_factory=Limits)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password for the page. Never displayed or logged."""
    hosts: tuple[str, ...] = ()
    """Host names under which the page may be requested, in addition to this machine's own host names."""
    proxies: int = 0
    """Number of trusted reverse proxies that append the client's address to X-Forwarded-For."""

    @classmethod
    def read(
        cls, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> Settings:
        """Load the settings from flags, TANDEM_* variables and defaults, in this order of precedence.

        Flags set to None are ignored.

        Raises:
            InputError: a value is invalid. The message names the flag or variable.
        """
        environ = os.environ if environ is None else environ
        given = _collect(flags or {}, environ)
        values = {name: READERS[name](label, value) for name, (label, value) in given.items()}
        storage = find_persistent_storage(environ, PERSISTENT)
        values["is_ephemeral"] = "SPACE_ID" in environ and storage is None and "data_dir" not in values
        values.setdefault("data_dir", storage or _default_data_dir(environ))
        if preset := _choose_preset(flags or {}, environ):
            values |= _apply_preset(preset, values)
        if values.get("public") and values.get("trust_remote_code"):
            raise InputError(
                f"{given['trust_remote_code'][0]} cannot be used in public mode, because other people can "
                "reach this machine: remove it, or turn public mode off."
            )
        # Hugging Face Spaces run behind one proxy.
        values.setdefault("proxies", 1 if "SPACE_ID" in environ else 0)
        limits = {name: values.pop(name) or None for name in LIMITS if name in values}
        values["limits"] = replace(PUBLIC if values.get("public") else Limits(), **limits)
        values["judge_keys"] = _read_host_keys(environ)
        key = (environ.get(f"{PREFIX}JUDGE_KEY") or environ.get("OPENAI_API_KEY") or "").strip()
        values["judge_key"] = Secret(key) if key else None
        return cls(**values)


def _collect(flags: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Return each setting's value and the flag or variable that it comes from, keyed by setting name.

    Flags take precedence over variables.
    """
    given: dict[str, tuple[str, Any]] = {}
    for name in READERS:
        if (value := flags.get(name)) not in (None, [], ()):
            given[name] = flag_name(name), value
        elif text := environ.get(variable_name(name)):
            given[name] = variable_name(name), text.split(",") if name in LISTS else text
    # An empty judge flag selects the default even if the corresponding variable is set.
    return {name: pair for name, pair in given.items() if pair[1] != "" or not name.startswith("judge_")}


def flag_name(name: str) -> str:
    """Return the command-line flag for a setting."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def variable_name(name: str) -> str:
    """Return the name of the environment variable for a setting."""
    return PREFIX + name.upper()


def _choose_preset(flags: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """Return the name of the preset to apply, if any. A base given as a flag overrides a preset from the
    environment.

    Raises:
        InputError: a preset and a base are both given as flags, or both set in the environment.
    """
    preset, base = flags.get("preset"), flags.get("base")
    if preset and base:
        raise InputError("--preset already sets the base: leave out --base or --preset.")
    if preset or base:
        return preset or None
    named = environ.get(f"{PREFIX}PRESET")
    if named and environ.get(f"{PREFIX}BASE"):
        raise InputError(f"{PREFIX}PRESET already sets the base: set either it or {PREFIX}BASE, not both.")
    return named or None


def _apply_preset(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings defined by a preset: its name, its base model, and its adapters followed by those
    in `values`.
    """
    preset = find_preset(name, values["data_dir"])
    return {
        "preset": name,
        "base": preset.base,
        "adapters": with_adapters(preset, values.get("adapters", ())),
    }


# --- Readers: parse the value of a setting; `label` is the flag or variable that it comes from ------

TRUE = ("1", "true", "yes", "on", "y")
FALSE = ("0", "false", "no", "off", "n", "")


def _read_switch(label: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise InputError(
        f"{label} must be 1 or 0, not {value!r:.60}: to turn it on, use {', '.join(TRUE)}; "
        f"to turn it off, use {', '.join(text for text in FALSE if text)} or leave it empty."
    )


def _read_choice(allowed: Sequence[str], label: str, text: str) -> str:
    if text not in allowed:
        raise InputError(f"{label} must be one of {', '.join(allowed)}, not {text!r:.60}.")
    return text


def _read_whole(value: Any, digits: int) -> int | None:
    """Parse text as a non-negative integer with at most `digits` digits.

    Return None if the text is anything else.
    """
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) <= digits else None


def _read_count(label: str, value: Any) -> int:
    number = _read_whole(value, digits=9)
    if number is None:
        raise InputError(f"{label} must be an integer (0 for none), not {value!r:.60}.")
    return number


def _read_port(label: str, value: Any) -> int:
    number = _read_whole(value, digits=9)
    if number is None or not 1 <= number <= 65535:
        raise InputError(f"{label} must be an integer from 1 to 65535, not {value!r:.60}.")
    return number


def _read_budget(label: str, value: Any) -> int:
    number = _read_whole(str(value).strip().replace("_", ""), digits=15)
    if number is None:
        raise InputError(f"{label} must be an integer number of tokens, not {value!r:.60}.")
    return number


def _read_timeout(label: str, text: str) -> float:
    return _read_positive(label, text, "a number of seconds")


def _read_prices(label: str, text: str) -> tuple[float, float, str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not parts[2]:
        raise InputError(
            f"{label} must be the price per million input tokens, the price per million "
            f"output tokens and the currency, for example 2.50,10,USD, not {text!r}."
        )
    prices = [_read_positive(label, part, "a price", zero=True) for part in parts[:2]]
    return prices[0], prices[1], parts[2]


def _read_positive(label: str, value: Any, what: str, zero: bool = False) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise InputError(f"{label} must be {what} {'of 0 or more' if zero else 'above 0'}, not {value!r}.")
    return number


def _read_adapters(label: str, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Parse adapter names and sources. Raises InputError if a name is given twice."""
    adapters = tuple(_read_adapter(label, text) for text in texts)
    for number, (name, _) in enumerate(adapters):
        if name in [other for other, _ in adapters[:number]]:
            raise InputError(f"{label} uses the name {name!r} twice: give each adapter its own name.")
    return adapters


def _read_adapter(label: str, text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not (equals and name.strip() and source.strip()):
        raise InputError(f"{label} must be NAME=ID or NAME=PATH, not {text!r}.")
    return name.strip(), source.strip()


def _read_hosts(_label: str, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in texts if name.strip())


def _read_mirror(label: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # for example, an incomplete IPv6 address or a non-numeric port
        usable = False
    if not usable:
        raise InputError(f"{label} must be a URL such as https://host/path, not {text!r}.")
    return text.rstrip("/")


def _read_auth(label: str, text: str) -> tuple[str, str]:
    # The error message does not quote the value, which could be a password.
    name, colon, password = text.partition(":")
    if not (colon and name.strip() and password):
        variable = variable_name("auth")
        hint = "" if label == variable else f" To keep the password private, set {variable} instead."
        raise InputError(f"{label} must be USER:PASSWORD.{hint}")
    return name.strip(), password


def _read_path(_label: str, value: Any) -> Path:
    return Path(value).expanduser()


def _read_text(_label: str, value: Any) -> str:
    return str(value)


LIMITS = tuple(field.name for field in fields(Limits))
LISTS = ("adapters", "hosts")
"""Settings whose environment variables contain comma-separated lists."""
SWITCHES = ("public", "shared_history", "allow_pickle", "trust_remote_code", "same_base", "no_browser")

FLAGS = {"adapters": "--adapter", "hosts": "--allow-host"}
"""Command-line flags that are not named after their setting, keyed by setting name."""

READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "base": _read_text,
    "adapters": _read_adapters,
    "quantize": partial(_read_choice, get_args(Quantize)),
    "device": partial(_read_choice, get_args(Device)),
    "host": _read_text,
    "port": _read_port,
    "data_dir": _read_path,
    "mirror": _read_mirror,
    "judge_model": _read_text,
    "judge_url": _read_text,
    "judge_budget": _read_budget,
    "judge_timeout": _read_timeout,
    "judge_prices": _read_prices,
    "auth": _read_auth,
    "hosts": _read_hosts,
    "proxies": _read_count,
    **dict.fromkeys(SWITCHES, _read_switch),
    **dict.fromkeys(LIMITS, _read_count),
}
"""Parsers for setting values from flags and environment variables.

Each parser raises InputError with a one-sentence message. To add a setting, add a field to `Settings` and a
line here.
"""


# --- The environment ------------------------------------------------------------------------------


def _read_host_keys(environ: Mapping[str, str]) -> dict[str, Secret]:
    """Return the API keys from environment variables named TANDEM_JUDGE_KEY_HOST, keyed by HOST."""
    before = f"{PREFIX}JUDGE_KEY_"
    return {
        name.removeprefix(before).upper(): Secret(text.strip())
        for name, text in environ.items()
        if name.startswith(before) and text.strip()
    }


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's data folder according to the XDG specification (on Windows, under LOCALAPPDATA)."""
    home = environ.get("XDG_DATA_HOME") or environ.get("LOCALAPPDATA")
    return ((Path(home) if home else Path.home() / ".local" / "share") / "tandem").expanduser()


def find_persistent_storage(environ: Mapping[str, str], folder: Path) -> Path | None:
    """Return the folder in which a Hugging Face Space keeps data across restarts, or None.

    Args:
        environ: environment variables.
        folder: `PERSISTENT`. A folder that is not a mount is lost like all others.
    """
    is_storage = "SPACE_ID" in environ and os.path.ismount(folder) and os.access(folder, os.W_OK | os.X_OK)
    return folder if is_storage else None


def prepare_environment() -> None:
    """Set environment variables that libraries read on import. Call this before importing those libraries.

    Gradio's analytics and run history are disabled. Requests to this machine bypass any proxy, because
    Gradio's request to its own address would fail through a proxy. By default, Gradio's server trusts
    X-Forwarded-For from any local client; here, `--proxies` alone determines what is trusted.
    """
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    # Otherwise, Gradio would aggregate all events after each event, for a dashboard that is not used here.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
    # Neither warning is useful: one is about a missing optional kernel, the other about a renamed property
    # that PEFT still uses.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)


def git_environment(home: Path) -> dict[str, str]:
    """Return environment variables that make git ignore the user's configuration and never prompt for input.

    Variables for proxies, certificates, PATH and temporary folders are kept. Keys, credentials and git's own
    variables are removed.

    Args:
        home: an empty folder, used as the home directory of git and its helpers.
    """
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    names = (*kept, *proxies, *(name.lower() for name in proxies))
    environment = {name: os.environ[name] for name in names if name in os.environ}
    for name, ours in (("SSL_CERT_FILE", "GIT_SSL_CAINFO"), ("SSL_CERT_DIR", "GIT_SSL_CAPATH")):
        if os.environ.get(name):
            environment[ours] = os.environ[name]
    return environment | {
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def has_display() -> bool:
    """Return whether a browser window can be shown: there is a desktop, and this is neither CI nor SSH."""
    if any(os.environ.get(name) for name in ("CI", "SSH_CONNECTION", "SSH_TTY", "SPACE_ID")):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def on_zero_gpu() -> bool:
    """Return whether this is a Space with ZeroGPU, in which only decorated functions have a GPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def on_space() -> bool:
    """Return whether Tandem is running in a Hugging Face Space, where it must listen on all interfaces."""
    return "SPACE_ID" in os.environ
