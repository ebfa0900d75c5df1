"""A lane as the page's controls hold it, and as a lane's text spells it; pure values, without Gradio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.aligners.urial import STOP_RULES
from playground.lanes import format_spec, parse_spec
from playground.types import SAMPLING_NAMES, DemoSet, InputError

CHAT_OPTIONS = ("system", "instruction", "template", "think")
"""What the controls of a lane in a chat format can express, besides variables of its template."""
OPTIONS = ("adapter", "demos", "k", "ablation", "other", "pick", "stop", "overflow", "seed")
"""What the controls can express; `seed` is the ablation's, which is the lane's own."""

RESERVED = {*OPTIONS, *CHAT_OPTIONS, *SAMPLING_NAMES}
"""Names that no variable of a template can have in a lane spec."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The controls of one lane."""

    preset: str
    """"base", "urial", an adapter, "chat", "urial:adapter=NAME", "chat:adapter=NAME"; or a lane spec that
    controls cannot express."""
    demos: str = ""
    """A set's name; "" is the base's own."""
    k: int | None = None
    """None: all of the set."""
    ablation: str = ""
    other: str = ""
    """The set that the ablation "other" draws from."""
    pick: str = "first"
    overflow: str = "refuse"
    stop_rule: str = "own"
    system: str = ""
    """The system message of a lane in a chat format."""
    instruction: str = ""
    """The demonstration set whose instruction is the system message; "" for none."""
    template: str = ""
    """Which of several chat templates; "" for the default."""
    think: str = "drop"
    variables: str = ""
    """Variables of the chat template as a lane spec has them: ``name=value,...``."""

    @property
    def chat(self) -> bool:
        """Whether the lane is asked in a chat format."""
        name = self.preset.partition(":")[0]
        return name not in ("base", "raw", "urial") and self.preset in (
            name,
            f"{name}:adapter={self.adapter}",
        )

    @property
    def adapter(self) -> str | None:
        """The adapter that the preset names, if any."""
        name, colon, option = self.preset.partition(":")
        if colon:
            return option.removeprefix("adapter=") if option.startswith("adapter=") else None
        return None if name in ("base", "raw", "urial", "chat") else name

    @property
    def urial(self) -> bool:
        """Whether there are demonstrations to choose."""
        return self.preset == "urial" or self.preset.startswith("urial:adapter=")

    def spec(self, default: str, sets: Mapping[str, DemoSet], seed: int | None = None) -> str:
        """The lane's text; what goes without saying is left out, so that equal recipes have equal names.

        Args:
            default: the name of the base's own set.
            sets: the demonstration sets there are, by name.
            seed: what an ablation draws by; None: leave it unsaid.

        Raises:
            InputError: the template variables cannot be read.
        """
        options: dict[str, str] = self._chat_options() if self.chat else {}
        if self.urial:
            name = self.demos or default
            if name != default:
                options["demos"] = name
            demos = sets.get(name)
            all_of_it = demos is not None and (demos.whole or self.k == len(demos.demos))
            if self.k is not None and (not all_of_it or self.pick != "first"):
                options["k"] = str(self.k)
            if self.pick != "first":
                options["pick"] = self.pick
            if self.stop_rule != "own":
                options["stop"] = self.stop_rule
            if self.ablation:
                options["ablation"] = self.ablation
                if self.ablation == "other" and self.other:
                    options["other"] = self.other
                if seed is not None:
                    options["seed"] = str(seed)
        if self.overflow != "refuse":
            options["overflow"] = self.overflow
        return format_spec(self.preset, options)

    def _chat_options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        if self.instruction:
            options["instruction"] = self.instruction
        elif self.system:
            options["system"] = self.system
        if self.template:
            options["template"] = self.template
        if self.think != "drop":
            options["think"] = self.think
        return options | read_variables(self.variables)

    @classmethod
    def of(cls, spec: str) -> Recipe:
        """The controls that would spell a lane's text."""
        try:
            name, options = parse_spec(spec)
        except InputError:
            return cls(preset=spec)
        if name not in ("base", "raw", "urial"):
            return cls._of_chat(spec, name, options)
        options.pop("seed", None)
        known = OPTIONS if name == "urial" else ("overflow",)
        k = options.get("k", "0")
        stop_rule = options.get("stop", "own")  # another value is a stop sequence
        if not set(options) <= set(known) or not k.isdecimal() or stop_rule not in STOP_RULES:
            return cls(preset=spec)
        adapter = options.get("adapter")
        return cls(
            preset=f"urial:adapter={adapter}" if adapter else name,
            demos=options.get("demos", ""),
            k=int(k) if "k" in options else None,
            ablation=options.get("ablation", ""),
            other=options.get("other", ""),
            pick=options.get("pick", "first"),
            overflow=options.get("overflow", "refuse"),
            stop_rule=stop_rule,
        )

    @classmethod
    def _of_chat(cls, spec: str, name: str, options: dict[str, str]) -> Recipe:
        adapter = options.pop("adapter", None)
        known: dict[str, Any] = {key: str(options.pop(key)) for key in CHAT_OPTIONS if key in options}
        overflow = options.pop("overflow", "refuse")
        both = "system" in known and "instruction" in known
        if both or set(options) & RESERVED or (adapter is not None and name != "chat"):
            return cls(preset=spec)
        variables = format_spec("", options).removeprefix(":")
        preset = f"chat:adapter={adapter}" if adapter else name
        return cls(preset=preset, overflow=overflow, variables=variables, **known)


def read_variables(text: str) -> dict[str, str]:
    """The variables of a chat template in a text such as ``enable_thinking=false``.

    Raises:
        InputError: it is not name=value, or a name is an option of the lane.
    """
    spec = f":{text}".strip()
    try:
        variables = parse_spec(spec)[1]
    except InputError as error:
        fault = str(error).removeprefix(f"Lane {spec!r}").lstrip(": ").removesuffix(".")
        raise InputError(
            f"Template variables: {fault}. Write name=value, with commas between "
            'them, as in date="1 May, 2025".'
        ) from error
    for name in variables:
        if name in RESERVED:
            raise InputError(
                f"{name} is an option of the lane and no template variable: set it in its control."
            )
    return variables
