"""Settings from flags, environment variables and defaults, in this order of precedence.

Only this module reads environment variables.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from playground.library.presets import find_preset, with_adapters
from playground.rate_limits import PUBLIC, Limits
from playground.secret import Secret, check_key
from playground.servers.address import identify_server
from playground.setting_values import (
    REMOTE_KEY,
    read_adapters,
    read_auth,
    read_budget,
    read_choice,
    read_count,
    read_hosts,
    read_mirror,
    read_path,
    read_port,
    read_prices,
    read_remotes,
    read_switch,
    read_text,
    read_timeout,
)
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
    remotes: tuple[tuple[str, str | None], ...] = ()
    """Servers that generate the answers instead of a model on this machine, as (base URL, name of the base
    model on the server) pairs. A name of None selects the server's only base model.
    """
    remote_key: Secret | None = None
    """API key for `remotes`. Read only from the environment."""
    tokenizer: str | None = None
    """Folder or Hub ID of the tokenizer of the model on `remotes`. None if there is none on this machine."""
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
    api: bool = False
    """Whether to serve the lanes with an OpenAI-compatible API, on the page's port."""
    api_key: Secret | None = None
    """API key that clients of the API must send; None if none is required.

    Read only from the environment.
    """
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
        _check_remotes(values, given)
        if values.get("public") and values.get("trust_remote_code"):
            raise InputError(
                f"{given['trust_remote_code'][0]} cannot be used in public mode, because other people can "
                "reach this machine: remove it, or turn public mode off."
            )
        # Hugging Face Spaces run behind one proxy.
        values.setdefault("proxies", 1 if "SPACE_ID" in environ else 0)
        limits = {name: values.pop(name) or None for name in LIMITS if name in values}
        values["limits"] = replace(PUBLIC if values.get("public") else Limits(), **limits)
        values["api_key"] = _read_api_key(environ)
        if values.get("api") and values.get("auth") and values["api_key"] is None:
            raise InputError(
                f"{given['api'][0]} would bypass the password of {given['auth'][0]}: set an API key with "
                f"{PREFIX}API_KEY, or turn the API off."
            )
        values["judge_keys"] = _read_host_keys(environ)
        values["judge_key"] = _read_key(environ, "JUDGE_KEY", environ.get("OPENAI_API_KEY") or "")
        if (key := _read_key(environ, "REMOTE_KEY")) is not None:
            values["remote_key"] = check_key(key, REMOTE_KEY)
        return cls(**values)

    def chat_key_of(self, server: str) -> Secret | None:
        """Return the configured API key for the server of a chat model.

        It is never sent to another machine without encryption. None if no key is configured for the server.
        """
        if self.is_remote(server):
            return self.remote_key
        if identify_server(server) == identify_server(self.judge_url):
            return self.judge_key
        return self.judge_key_of(server)

    def judge_key_of(self, server: str) -> Secret | None:
        """Return the API key configured for a server's host, or for its host and port.

        Returns None if no key is configured, or if it would be sent unencrypted to another machine.
        """
        parts = urlsplit(server)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            return None
        keys = self.judge_keys
        return keys.get(_name_host(parts.netloc)) or keys.get(_name_host(parts.hostname or ""))

    def name_chat_key(self, server: str) -> str:
        """Return the environment variable in which `chat_key_of` looks for the API key of a server."""
        if self.is_remote(server):
            return REMOTE_KEY
        if identify_server(server) == identify_server(self.judge_url):
            return f"{PREFIX}JUDGE_KEY"
        return f"{PREFIX}JUDGE_KEY_{_name_host(urlsplit(server).hostname or '')}"

    def is_remote(self, server: str) -> bool:
        """Return whether an address is that of one of `remotes`."""
        return any(identify_server(server) == identify_server(address) for address, _ in self.remotes)

    def remote_key_of(self, address: str) -> Secret | None:
        """Return the API key for the server at `address`, or None if it is not one of `remotes`."""
        return self.remote_key if address in dict(self.remotes) else None


def _check_remotes(values: dict[str, Any], given: Mapping[str, tuple[str, Any]]) -> None:
    """Check that no setting for a model on this machine is combined with servers.

    The base model is then known only from the servers, unless it was given.

    Raises:
        InputError: a setting has no effect on a server, or needs one.
    """
    if not values.get("remotes"):
        if "tokenizer" in given:
            raise InputError(
                f"{given['tokenizer'][0]} names the tokenizer of a server's model: add --remote, or remove "
                "it."
            )
        return
    for name in ("quantize", "device", "allow_pickle", "trust_remote_code"):
        if values.get(name) not in (None, False, "auto"):
            raise InputError(
                f"{given[name][0]} applies to a model on this machine, but {given['remotes'][0]} uses a "
                "server's model: remove one of the two."
            )
    values.setdefault("base", "")
    if values.get("preset"):
        # The adapters of a preset are sources, which a server does not load.
        values["adapters"] = READERS["adapters"](*given["adapters"]) if "adapters" in given else ()


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
    return PREFIX + VARIABLES.get(name, name).upper()


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


LIMITS = tuple(field.name for field in fields(Limits))
LISTS = ("adapters", "hosts", "remotes")
"""Settings whose environment variables contain comma-separated lists."""
SWITCHES = ("public", "shared_history", "allow_pickle", "trust_remote_code", "same_base", "no_browser", "api")

FLAGS = {"adapters": "--adapter", "hosts": "--allow-host", "remotes": "--remote"}
"""Command-line flags that are not named after their setting, keyed by setting name."""

VARIABLES = {"remotes": "remote"}
"""Environment variables that are not named after their setting, without `PREFIX`, keyed by setting name."""

READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "base": read_text,
    "adapters": read_adapters,
    "remotes": read_remotes,
    "tokenizer": read_text,
    "quantize": partial(read_choice, get_args(Quantize)),
    "device": partial(read_choice, get_args(Device)),
    "host": read_text,
    "port": read_port,
    "data_dir": read_path,
    "mirror": read_mirror,
    "judge_model": read_text,
    "judge_url": read_text,
    "judge_budget": read_budget,
    "judge_timeout": read_timeout,
    "judge_prices": read_prices,
    "auth": read_auth,
    "hosts": read_hosts,
    "proxies": read_count,
    **dict.fromkeys(SWITCHES, read_switch),
    **dict.fromkeys(LIMITS, read_count),
}
"""Parsers for setting values from flags and environment variables.

Each parser raises InputError with a one-sentence message. To add a setting, add a field to `Settings` and a
line here.
"""


# --- The environment ------------------------------------------------------------------------------


def _read_key(environ: Mapping[str, str], name: str, other: str = "") -> Secret | None:
    """Return the API key from the variable TANDEM_NAME or, if it is empty, from the text `other`."""
    key = (environ.get(f"{PREFIX}{name}") or other).strip()
    return Secret(key) if key else None


def _read_api_key(environ: Mapping[str, str]) -> Secret | None:
    """Return the key that clients of the API must send.

    Raises:
        InputError: the key cannot be sent in an HTTP header. The message does not quote it.
    """
    key = _read_key(environ, "API_KEY")
    if key and not re.fullmatch("[!-~]+", key.reveal()):
        raise InputError(
            f"{PREFIX}API_KEY contains characters that HTTP headers cannot carry: use ASCII letters, digits "
            "and punctuation without spaces."
        )
    return key


def _name_host(host: str) -> str:
    """Write a host name, or a host name and a port, as part of the name of an environment variable."""
    return re.sub(r"[^A-Z0-9]", "_", host.upper())


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
