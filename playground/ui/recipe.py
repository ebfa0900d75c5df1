"""A lane as the page's controls hold it, and as a lane's text spells it; pure values, without Gradio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.aligners.urial import STOP_RULES
from playground.types import DemoSet

OPTIONS = ("adapter", "demos", "k", "ablation", "other", "pick", "stop", "overflow", "seed")
"""What the controls can express; `seed` is the ablation's, which is the lane's own."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The controls of one lane."""

    preset: str
    """"base", "urial", an adapter, "urial:adapter=NAME"; or a lane's text that controls cannot express."""
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
        """
        options = {}
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
        if not options:
            return self.preset
        joint = "," if ":" in self.preset else ":"
        return self.preset + joint + ",".join(f"{key}={value}" for key, value in options.items())

    @classmethod
    def of(cls, spec: str) -> Recipe:
        """The controls that would spell a lane's text."""
        name, _, rest = spec.partition(":")
        options = dict(part.partition("=")[::2] for part in rest.split(",") if part)
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
