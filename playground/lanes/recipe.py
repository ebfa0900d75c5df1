"""Convert between lane specs and the values of the page's lane controls (a preset and its options)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from playground.aligners.base import LaneKind
from playground.aligners.demonstration_options import OPTIONS as DEMONSTRATION_OPTIONS
from playground.lanes.names import find_adapter, find_class
from playground.lanes.spec import format_spec, parse_spec
from playground.types import SAMPLING_NAMES, DemoSet, InputError

CHAT_OPTIONS = ("system", "instruction", "template", "think")
"""Options of chat-format lanes that have their own controls on the page. Template variables share one control
and are not included.
"""
RESERVED = {"adapter", "stop", "overflow", *DEMONSTRATION_OPTIONS, *CHAT_OPTIONS, *SAMPLING_NAMES}
"""Reserved names that template variables in a lane spec cannot use."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The values of one lane's controls."""

    preset: str
    """A lane spec from `names.offer_lanes`, or a lane spec with options that the controls cannot express."""
    demos: str = ""
    """The name of the demonstration set; "" for the base's default set."""
    k: int | None = None
    """Number of demonstrations; None for the whole set."""
    ablation: str = ""
    other: str = ""
    """The demonstration set from which the ablation "other" takes answers."""
    pick: str = "first"
    overflow: str = "refuse"
    stop_rule: str = "own"
    system: str = ""
    """The system message of a chat-format lane."""
    instruction: str = ""
    """The demonstration set whose instruction is used as the system message; "" for none."""
    template: str = ""
    """The name of the chat template, if the model has several; "" for the default template."""
    think: str = "drop"
    variables: str = ""
    """Chat template variables in lane spec syntax: ``name=value,...``."""

    @property
    def kind(self) -> LaneKind:
        """The lane kind, which determines the available controls; `FIXED` if the preset itself has
        options.
        """
        try:
            name, options = parse_spec(self.preset)
        except InputError:
            return FIXED
        kind = find_class(name).lane
        has_adapter = options.pop("adapter", None) is not None
        fits = kind.adapter != "none" or not has_adapter
        return kind if fits and not options else FIXED

    @property
    def adapter(self) -> str | None:
        """The adapter named in the preset, if any."""
        return find_adapter(self.preset)

    def spec(self, default: str, sets: Mapping[str, DemoSet], seed: int | None = None) -> str:
        """Return the lane spec. Default values are omitted, so that equal recipes have equal names.

        Args:
            default: the name of the base's default demonstration set.
            sets: the available demonstration sets, by name.
            seed: the seed for a random ablation; the default 0 and None are omitted.

        Raises:
            InputError: the template variables cannot be parsed.
        """
        kind = self.kind
        options: dict[str, str] = {}
        if kind.demonstrations:
            options |= self._demonstration_options(default, sets, seed)
        if kind.chat_format:
            options |= self._chat_options()
        if self.overflow != "refuse":
            options["overflow"] = self.overflow
        return format_spec(self.preset, options)

    def _demonstration_options(
        self, default: str, sets: Mapping[str, DemoSet], seed: int | None
    ) -> dict[str, str]:
        options: dict[str, str] = {}
        name = self.demos or default
        if name != default:
            options["demos"] = name
        demos = sets.get(name)
        # Of a set that does not exist, the page's slider shows 0 unless the link has another K.
        all_of_it = not self.k if demos is None else demos.whole or self.k == len(demos.demos)
        if self.k is not None and (not all_of_it or self.pick != "first"):
            options["k"] = str(self.k)
        if self.pick != "first":
            options["pick"] = self.pick
        if self.kind.stop_rules and self.stop_rule != "own":
            options["stop"] = self.stop_rule
        if self.ablation:
            options["ablation"] = self.ablation
            if self.ablation == "other" and self.other:
                options["other"] = self.other
            if seed:
                options["seed"] = str(seed)
        return options

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
        """Return the control values for a lane spec.

        If any option of the spec has no control, the whole spec becomes the preset.
        """
        try:
            return cls._read(spec)
        except InputError:
            return cls(preset=spec)

    @classmethod
    def _read(cls, spec: str) -> Recipe:
        """Convert a spec as `of` does, but raise InputError if the controls cannot express the spec."""
        name, options = parse_spec(spec)
        kind = find_class(name).lane
        beginning = {"adapter": options.pop("adapter")} if "adapter" in options else {}
        if beginning and kind.adapter != "optional":
            raise InputError("This lane does not support adapter=.")
        recipe = cls(preset=format_spec(name, beginning), overflow=options.pop("overflow", "refuse"))
        if kind.demonstrations or not kind.chat_format:
            options.pop("seed", None)  # the lane's own seed, which is a decoding parameter
        if kind.stop_rules:
            recipe = recipe._with_stop_rule(options, kind)
        if kind.demonstrations:
            recipe = recipe._with_demonstrations(options)
        if kind.chat_format:
            recipe = recipe._with_chat_format(options)
        if options:
            raise InputError(f"There is no control for {', '.join(options)}.")
        return recipe

    def _with_stop_rule(self, options: dict[str, str], kind: LaneKind) -> Recipe:
        stop_rule = options.pop("stop", "own")
        if stop_rule not in kind.stop_rules:
            raise InputError(f"stop={stop_rule} is a stop sequence, not a stop rule.")
        return replace(self, stop_rule=stop_rule)

    def _with_demonstrations(self, options: dict[str, str]) -> Recipe:
        k = options.pop("k", None)
        if k is not None and not (k.isdecimal() and len(k) < 10):
            raise InputError(f"The control for k cannot show {k!r:.60}.")
        return replace(
            self,
            demos=options.pop("demos", ""),
            k=None if k is None else int(k),
            ablation=options.pop("ablation", ""),
            other=options.pop("other", ""),
            pick=options.pop("pick", "first"),
        )

    def _with_chat_format(self, options: dict[str, str]) -> Recipe:
        if ("system" in options and "instruction" in options) or set(options) & (RESERVED - {*CHAT_OPTIONS}):
            raise InputError("The controls cannot set all of these options together.")
        recipe = replace(
            self,
            system=str(options.pop("system", "")),
            instruction=str(options.pop("instruction", "")),
            template=str(options.pop("template", "")),
            think=str(options.pop("think", "drop")),
            variables=format_spec("", options).removeprefix(":"),
        )
        options.clear()
        return recipe


FIXED = LaneKind(label="")
"""The lane kind of presets that include options. Lanes of this kind have no controls."""


def read_variables(text: str) -> dict[str, str]:
    """Parse chat template variables such as ``enable_thinking=false``.

    Raises:
        InputError: the text does not consist of name=value pairs, or a name is reserved for a lane option.
    """
    try:
        variables = parse_spec(f":{text}")[1]
    except InputError as error:
        raise InputError(f"Template variables: {error}") from error
    for name in variables:
        if name in RESERVED:
            raise InputError(f"{name} is a lane option, not a template variable: use its control to set it.")
    return variables
