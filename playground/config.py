"""Settings: flags before environment before defaults, read once. The only reader of the environment."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playground.library.presets import find_preset, with_adapters
from playground.rate_limits import PUBLIC, Limits
from playground.secret import Secret
from playground.types import InputError

Quantize = Literal["auto", "4bit", "none"]
Device = Literal["auto", "cpu", "cuda"]

PREFIX = "TANDEM_"
DEFAULT_PORT = 7860


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run of Tandem is set up with."""

    base: str = "models/pocket"
    """Hugging Face Hub id or folder of the base model; "models/pocket" is the bundled one."""
    preset: str | None = None
    """The preset that the base comes from, whose set-up is suggested; None: a base named by itself."""
    adapters: tuple[tuple[str, str], ...] = ()
    """Adapters beside those in `adapters/`: (name, Hub id or folder)."""
    quantize: Quantize = "auto"
    """"auto": 4-bit on CUDA, and on a CPU only if the float32 weights would not fit in memory."""
    device: Device = "auto"
    allow_pickle: bool = False
    """Whether weights in pickled files (`*.bin`) are read where there are no others."""
    trust_remote_code: bool = False
    """Whether Python code of the base's repository may run; never in public mode."""
    same_base: bool = False
    """Whether adapters whose configuration names another base are used without a warning, if they fit."""
    host: str = "127.0.0.1"
    port: int | None = None
    """None: 7860, or the next free one."""
    data_dir: Path = Path("data")
    """Where the record of conversations is kept."""
    public: bool = False
    """Strangers use this page: it lists nobody's conversations, loads no model, takes no path, saves nothing
    of its own, and keeps the limits of `limits.PUBLIC` where no others are given."""
    shared_history: bool = False
    """Whether every visitor's history lists the conversations of all."""
    mirror: str | None = None
    """Where `fetch` finds the files that it downloads from GitHub otherwise, under the same paths."""
    judge_model: str | None = None
    """The model that judges unless another is named; None: a person names one."""
    judge_url: str = "https://api.openai.com/v1"
    """The address of the judge's server, which speaks OpenAI's chat API."""
    judge_key: Secret | None = None
    """Its key, which goes to that address and no other; from the environment alone."""
    judge_keys: Mapping[str, Secret] = field(default_factory=dict)
    """Keys of other servers by host, in capitals with "_" for other characters: "API_MISTRAL_AI"; from the
    environment alone."""
    judge_budget: int | None = None
    """Tokens that judging may take in one visit without a key of the visitor's own; None: any number, and
    on a public page none."""
    judge_timeout: float = 120.0
    """Seconds that one question to a judge may take."""
    judge_prices: tuple[float, float, str] | None = None
    """What a million tokens cost, in and out, and the currency; None: costs are shown in tokens alone."""
    limits: Limits = field(default_factory=Limits)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    """The name and password that the page asks for; never shown or logged."""
    hosts: tuple[str, ...] = ()
    """Names by which the page may be called, beside this machine's own."""
    proxies: int = 0
    """Proxies in front of the page that say in X-Forwarded-For whom they speak for."""

    @classmethod
    def read(
        cls, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> Settings:
        """Settings from command-line flags (None: not given), then TANDEM_* variables, then defaults.

        Raises:
            InputError: a value is not one of those allowed; the sentence names the flag or variable.
        """
        environ = os.environ if environ is None else environ
        given = {name: value for name, value in (flags or {}).items() if value not in (None, [], ())}
        limits = [field.name for field in fields(Limits)]
        plain = ("base", "quantize", "device", "host", "port", "data_dir", "mirror", "auth", "proxies")
        switches = ("public", "shared_history", "allow_pickle", "trust_remote_code", "same_base")
        for name in (*plain, *switches, *limits):
            text = environ.get(PREFIX + name.upper())
            if name not in given and text:
                given[name] = text
        for name in ("adapters", "hosts"):
            if name not in given and environ.get(PREFIX + name.upper()):
                given[name] = environ[PREFIX + name.upper()].split(",")

        values: dict[str, Any] = {}
        if "base" in given:
            values["base"] = given["base"]
        if "adapters" in given:
            values["adapters"] = _adapters(given["adapters"])
        values["data_dir"] = Path(given.get("data_dir") or _data_dir(environ)).expanduser()
        if preset := _named_preset(flags or {}, environ):
            values |= _preset(preset, values)
        for name, allowed in (("quantize", ("auto", "4bit", "none")), ("device", ("auto", "cpu", "cuda"))):
            if name in given:
                if given[name] not in allowed:
                    raise InputError(f"--{name} must be one of {', '.join(allowed)}, not {given[name]!r}.")
                values[name] = given[name]
        for name in switches:
            values[name] = _switch(name, given.get(name, False))
        if "host" in given:
            values["host"] = given["host"]
        if "port" in given:
            values["port"] = _port(given["port"])
        if "mirror" in given:
            values["mirror"] = _mirror(given["mirror"])
        if values["public"] and values["trust_remote_code"]:
            raise InputError(
                "--trust-remote-code cannot be used in public mode, where other people reach this machine: "
                "leave one of them out."
            )
        values |= _judge(given, environ)
        if "auth" in given:
            values["auth"] = _auth(given["auth"])
        if "hosts" in given:
            values["hosts"] = tuple(name.strip().lower() for name in given["hosts"] if name.strip())
        # A Space stands behind one proxy of its own.
        values["proxies"] = _count("proxies", given.get("proxies", 1 if "SPACE_ID" in environ else 0)) or 0
        values["limits"] = replace(
            PUBLIC if values["public"] else Limits(),
            **{name: _count(name, given[name]) for name in limits if name in given},
        )
        return cls(**values)


def _named_preset(flags: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """The preset that is asked for; one of the environment gives way to a base that a flag names."""
    preset, base = flags.get("preset"), flags.get("base")
    if preset and base:
        raise InputError("--preset brings its own base: leave out --base, or leave out --preset.")
    if preset or base:
        return preset or None
    named = environ.get(f"{PREFIX}PRESET")
    if named and environ.get(f"{PREFIX}BASE"):
        raise InputError(f"{PREFIX}PRESET brings its own base: set it or {PREFIX}BASE, not both.")
    return named or None


def _preset(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a preset makes: its base, and its adapters before those that were named beside it."""
    preset = find_preset(name, values["data_dir"])
    return {
        "preset": name,
        "base": preset.base,
        "adapters": with_adapters(preset, values.get("adapters", ())),
    }


ON = ("1", "true", "yes", "on", "y")
OFF = ("0", "false", "no", "off", "n", "")


def _switch(name: str, value: Any) -> bool:
    """A boolean setting, from a flag or from its variable's text.

    Raises:
        InputError: the text is not one of the accepted values.
    """
    text = str(value).strip().lower()
    if text in ON:
        return True
    if text in OFF:
        return False
    raise InputError(
        f"{PREFIX}{name.upper()} must be 1 or 0, not {value!r:.60}: set it to {', '.join(ON)}, or to "
        f"{', '.join(text for text in OFF if text)} or nothing."
    )


def _judge(given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What is set of the judge: by flags, by TANDEM_JUDGE_*, and the key by OPENAI_API_KEY too."""
    names = ("model", "url", "budget", "timeout", "prices")
    said = {name: given.get(f"judge_{name}", environ.get(f"{PREFIX}JUDGE_{name.upper()}")) for name in names}
    key = environ.get(f"{PREFIX}JUDGE_KEY") or environ.get("OPENAI_API_KEY")
    values: dict[str, Any] = {name: said[name] for name in ("model", "url") if said[name]}
    if key and key.strip():
        values["key"] = Secret(key.strip())
    if found := _host_keys(environ):
        values["keys"] = found
    if said["budget"] is not None and said["budget"] != "":
        text = str(said["budget"]).strip().replace("_", "")
        if not text.isdecimal() or len(text) > 15:
            raise InputError(f"--judge-budget must be a whole number of tokens, not {said['budget']!r:.60}.")
        values["budget"] = int(text)
    if said["timeout"]:
        values["timeout"] = _positive(said["timeout"], f"{PREFIX}JUDGE_TIMEOUT", "a number of seconds")
    if said["prices"]:
        parts = [part.strip() for part in said["prices"].split(",")]
        if len(parts) != 3 or not parts[2]:
            raise InputError(
                f"{PREFIX}JUDGE_PRICES must be the price of a million tokens in, of a million tokens out and "
                f"the currency, such as 2.50,10,USD, not {said['prices']!r}."
            )
        prices = [_positive(part, f"{PREFIX}JUDGE_PRICES", "a price", zero=True) for part in parts[:2]]
        values["prices"] = (prices[0], prices[1], parts[2])
    return {f"judge_{name}": value for name, value in values.items()}


def _host_keys(environ: Mapping[str, str]) -> dict[str, Secret]:
    """The keys in TANDEM_JUDGE_KEY_HOST variables, by host."""
    before = f"{PREFIX}JUDGE_KEY_"
    return {
        name.removeprefix(before).upper(): Secret(text.strip())
        for name, text in environ.items()
        if name.startswith(before) and text.strip()
    }


def _positive(value: Any, name: str, what: str, zero: bool = False) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise InputError(f"{name} must be {what} {'of 0 or more' if zero else 'above 0'}, not {value!r}.")
    return number


def _adapters(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and sources; InputError for a name that is given twice."""
    adapters = tuple(_adapter(text) for text in texts)
    for number, (name, _) in enumerate(adapters):
        if name in [other for other, _ in adapters[:number]]:
            raise InputError(f"--adapter gives the name {name!r} twice: give each adapter its own.")
    return adapters


def _adapter(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not (equals and name.strip() and source.strip()):
        raise InputError(f"--adapter must be NAME=ID or NAME=PATH, not {text!r}.")
    return name.strip(), source.strip()


def _port(value: Any) -> int:
    text = str(value).strip()
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= 65535:
        raise InputError(f"--port must be a whole number from 1 to 65535, not {value!r:.60}.")
    return int(text)


def _mirror(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is no number
        usable = False
    if not usable:
        raise InputError(f"{PREFIX}MIRROR must be an address such as https://host/path, not {text!r}.")
    return text.rstrip("/")


def _count(name: str, value: Any) -> int | None:
    """A whole number; None for 0, which lifts a limit."""
    text = str(value).strip()
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"--{name.replace('_', '-')} must be a whole number, or 0 for none, not {value!r}.")
    return int(text) or None


def _auth(text: str) -> tuple[str, str]:
    # The sentence does not repeat what was given, which may be a password.
    name, colon, password = text.partition(":")
    if not (colon and name.strip() and password):
        raise InputError("--auth must be USER:PASSWORD; give it in the environment, as TANDEM_AUTH.")
    return name.strip(), password


def _data_dir(environ: Mapping[str, str]) -> Path:
    """The user's data folder by the XDG rule (on Windows, under LOCALAPPDATA)."""
    home = environ.get("XDG_DATA_HOME") or environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".local" / "share") / "tandem"


def prepare_environment() -> None:
    """Set what libraries read when they are imported, before any of them is.

    No call home: Gradio's analytics and run history are off. The bundled page is served to this machine
    past any proxy, since Gradio checks its own address through the proxy otherwise and fails. The server
    below Gradio believes any caller on this machine about whom it speaks for; here `--proxies` alone says.
    """
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    # After every event it would sum up all events so far, for a dashboard that is not served here.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
    # Neither says anything that a person could act on: an optional kernel that is not there, and a
    # renamed property that PEFT still reads.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)


def git_environment(home: Path) -> dict[str, str]:
    """The environment for a git that runs with nobody's settings and asks nobody: proxies, certificates and
    the places of programs and temporary files are kept; keys, credentials and git's own variables are not.

    Args:
        home: a folder of no one's, where git and its helpers look for what a person has set.
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


def on_space() -> bool:
    """Whether this runs as a Hugging Face Space, which listens on all interfaces by its own rule."""
    return "SPACE_ID" in os.environ
