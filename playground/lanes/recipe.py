"""Convert lane specs to and from the values of the page's controls: a preset and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from playground.aligners.base import LaneKind
from playground.aligners.demonstration_options import OPTIONS as DEMONSTRATION_OPTIONS
from playground.lanes.names import find_adapter, find_class
from playground.lanes.spec import format_spec, parse_spec
from playground.types import SAMPLING_NAMES, DemoSet, InputError

CHAT_OPTIONS = ("system", "instruction", "template", "think")
"""Options of a lane in a chat format that have controls, other than variables of its template."""
RESERVED = {"adapter", "stop", "overflow", *DEMONSTRATION_OPTIONS, *CHAT_OPTIONS, *SAMPLING_NAMES}
"""Names that a template variable cannot have in a lane spec."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The values of one lane's controls."""

    preset: str
    """A lane spec of `names.offer_lanes`, or one with options that the controls cannot express."""
    demos: str = ""
    """The set's name; "" for the base's default set."""
    k: int | None = None
    """Number of demonstrations; None for the whole set."""
    ablation: str = ""
    other: str = ""
    """The set that the ablation "other" draws answers from."""
    pick: str = "first"
    overflow: str = "refuse"
    stop_rule: str = "own"
    system: str = ""
    """The system message of a lane in a chat format."""
    instruction: str = ""
    """The demonstration set whose instruction is the system message; "" for none."""
    template: str = ""
    """Name of one of several chat templates; "" for the default."""
    think: str = "drop"
    variables: str = ""
    """Variables of the chat template in lane spec syntax: ``name=value,...``."""

    @property
    def kind(self) -> LaneKind:
        """Which controls the lane has; none if the preset itself has options."""
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
        """The adapter that the preset names, if any."""
        return find_adapter(self.preset)

    def spec(self, default: str, sets: Mapping[str, DemoSet], seed: int | None = None) -> str:
        """Return the lane spec; defaults are left out, so that equal recipes have equal names.

        Args:
            default: the name of the base's default set.
            sets: the available demonstration sets, by name.
            seed: seed of a random ablation; None leaves it out.

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
        all_of_it = demos is not None and (demos.whole or self.k == len(demos.demos))
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
            if seed is not None:
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
        """Return the values of the controls for a lane spec.

        A spec with options that have no control becomes the preset, and the controls are hidden.
        """
        try:
            return cls._read(spec)
        except InputError:
            return cls(preset=spec)

    @classmethod
    def _read(cls, spec: str) -> Recipe:
        """Like `of`, but raises InputError if the controls cannot express the spec."""
        name, options = parse_spec(spec)
        kind = find_class(name).lane
        beginning = {"adapter": options.pop("adapter")} if "adapter" in options else {}
        if beginning and kind.adapter != "optional":
            raise InputError("adapter= is no option of this lane.")
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
            raise InputError(f"{', '.join(options)}: no control sets this.")
        return recipe

    def _with_stop_rule(self, options: dict[str, str], kind: LaneKind) -> Recipe:
        stop_rule = options.pop("stop", "own")
        if stop_rule not in kind.stop_rules:
            raise InputError(f"stop={stop_rule} is a stop sequence and no rule.")
        return replace(self, stop_rule=stop_rule)

    def _with_demonstrations(self, options: dict[str, str]) -> Recipe:
        k = options.pop("k", None)
        if k is not None and not k.isdecimal():
            raise InputError(f"k={k} is no number.")
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
            raise InputError("No control sets all of these options.")
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
"""The kind of a preset that controls cannot change: it has no controls."""


def read_variables(text: str) -> dict[str, str]:
    """Parse variables of a chat template from a text such as ``enable_thinking=false``.

    Raises:
        InputError: the text is not name=value, or a name is an option of the lane.
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
