"""Settings: flags before environment before defaults, read once. The only reader of the environment."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
    adapters: tuple[tuple[str, str], ...] = ()
    """Adapters beside those in `adapters/`: (name, Hub id or folder)."""
    quantize: Quantize = "auto"
    """"auto": 4-bit on CUDA, and on a CPU only if the float32 weights would not fit in memory."""
    device: Device = "auto"
    host: str = "127.0.0.1"
    port: int | None = None
    """None: 7860, or the next free one."""
    data_dir: Path = Path("data")
    """Where the record of conversations is kept."""
    public: bool = False
    """Strangers use this page: it lists nobody's conversations."""
    mirror: str | None = None
    """Where `fetch` finds the files that it downloads from GitHub otherwise, under the same paths."""

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
        for name in ("base", "quantize", "device", "host", "port", "data_dir", "public", "mirror"):
            text = environ.get(PREFIX + name.upper())
            if name not in given and text:
                given[name] = text
        if "adapters" not in given and environ.get(PREFIX + "ADAPTERS"):
            given["adapters"] = environ[PREFIX + "ADAPTERS"].split(",")

        values: dict[str, Any] = {}
        if "base" in given:
            values["base"] = given["base"]
        if "adapters" in given:
            values["adapters"] = tuple(_adapter(text) for text in given["adapters"])
        for name, allowed in (("quantize", ("auto", "4bit", "none")), ("device", ("auto", "cpu", "cuda"))):
            if name in given:
                if given[name] not in allowed:
                    raise InputError(f"--{name} must be one of {', '.join(allowed)}, not {given[name]!r}.")
                values[name] = given[name]
        if "host" in given:
            values["host"] = given["host"]
        if "port" in given:
            values["port"] = _port(given["port"])
        if "public" in given:
            values["public"] = str(given["public"]).lower() in ("1", "true", "yes", "on")
        if "mirror" in given:
            values["mirror"] = _mirror(given["mirror"])
        values["data_dir"] = Path(given.get("data_dir") or _data_dir(environ)).expanduser()
        return cls(**values)


def _adapter(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not (equals and name.strip() and source.strip()):
        raise InputError(f"--adapter must be NAME=ID or NAME=PATH, not {text!r}.")
    return name.strip(), source.strip()


def _port(value: Any) -> int:
    text = str(value).strip()
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise InputError(f"--port must be a whole number from 1 to 65535, not {value!r}.")
    return int(text)


def _mirror(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise InputError(f"{PREFIX}MIRROR must be an address such as https://host/path, not {text!r}.")
    return text.rstrip("/")


def _data_dir(environ: Mapping[str, str]) -> Path:
    """The user's data folder by the XDG rule (on Windows, under LOCALAPPDATA)."""
    home = environ.get("XDG_DATA_HOME") or environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".local" / "share") / "tandem"


def prepare_environment() -> None:
    """Set what libraries read when they are imported, before any of them is.

    No call home: Gradio's analytics and run history are off. The bundled page is served to this machine
    past any proxy, since Gradio checks its own address through the proxy otherwise and fails.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
    # Neither says anything that a person could act on: an optional kernel that is not there, and a
    # renamed property that PEFT still reads.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)


def on_space() -> bool:
    """Whether this runs as a Hugging Face Space, which listens on all interfaces by its own rule."""
    return "SPACE_ID" in os.environ
