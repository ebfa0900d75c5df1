"""The page's set-up as a link spells it: lanes, decoding, history mode, probe; never what was said or typed.

As in ``?lane=urial:k=2&lane=pocket-ift&temperature=0.7&probe=pocket/3``. Where lanes decode each their own
way, ``linked=no`` is said and their parameters have the lane's letter before them: ``b.temperature=1``. Pure
values, without Gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playground.lanes.letters import lane_letter
from playground.lanes.variant import find_decoding
from playground.types import InputError, Sampling, check_characters

LANE_LIMIT = 4000
"""Characters that a lane's text may have in a link."""
NUMBER_LIMIT = 40
NAMES = tuple(name for name in Sampling.__dataclass_fields__)
SAID = {"linked": "no", "new_seed": "yes"}
"""Switches, which are left out where they are as they always are."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a lane, or all of them, decode."""

    sampling: Sampling = field(default_factory=Sampling)
    new_seed: bool = False
    """Whether every turn draws a seed of its own."""


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """What a link reproduces."""

    lanes: tuple[str, ...] = ()
    """Each lane's text; () where a link leaves them as they are."""
    common: Way | None = None
    """How all lanes decode, if they are linked; None where a link does not say."""
    own: Mapping[int, Way] = field(default_factory=dict)
    """By lane, how it decodes where they are not linked."""
    linked: bool = True
    mode: str = "own"
    """As the page's control has it: "own", "shared-0" and so on, "swapped"."""
    probe: str | None = None


def spelled(setup: SetUp) -> str:
    """The part of a link after its question mark; what goes without saying is left out."""
    pairs = [("lane", lane) for lane in setup.lanes]
    if setup.linked:
        pairs += _way(setup.common or Way(), "")
    else:
        pairs.append(("linked", SAID["linked"]))
        for lane, way in setup.own.items():
            pairs += _way(way, _before(lane))
    if setup.mode != "own":
        pairs.append(("history", setup.mode))
    if setup.probe:
        pairs.append(("probe", setup.probe))
    # These may stand in a link as they are, and a person can read it then.
    return "&".join(f"{key}={quote(value, safe=':,=./')}" for key, value in pairs)


def _before(lane: int) -> str:
    """What the names of a lane's own parameters have before them."""
    return f"{lane_letter(lane).lower()}."


def _way(way: Way, before: str) -> list[tuple[str, str]]:
    pairs = []
    for name in NAMES:
        value = getattr(way.sampling, name)
        if value == getattr(Sampling, name):
            continue
        texts = value if name == "stop" else [f"{value:.15g}" if isinstance(value, float) else str(value)]
        pairs += [(before + name, text.replace("\n", "\\n")) for text in texts]
    if way.new_seed:
        pairs.append((f"{before}new_seed", SAID["new_seed"]))
    return pairs


def read(pairs: Sequence[tuple[str, str]], most_lanes: int, modes: Sequence[str]) -> tuple[SetUp, list[str]]:
    """The set-up in a link's parameters, and one sentence for each that cannot be used.

    Parameters of other names are not its business. Whether lanes and probes are there is for the page to say.

    Args:
        modes: those that `SetUp.mode` can be.
    """
    problems: list[str] = []
    lanes = [value for key, value in pairs if key == "lane"]
    if len(lanes) > most_lanes:
        problems.append(f"The link has {len(lanes)} lanes: the first {most_lanes} are shown.")
        lanes = lanes[:most_lanes]
    for number, lane in enumerate(lanes):
        if problem := _lane_problem(lane):
            problems.append(f"Lane {lane_letter(number)} of the link {problem}")
            lanes[number] = ""
    linked = not any((key, value) == ("linked", "no") for key, value in pairs)
    common = _read_way(pairs, "", problems)
    own = {
        lane: way or Way()
        for lane in range(most_lanes)
        if (way := _read_way(pairs, _before(lane), problems)) or (not linked and lane < len(lanes))
    }
    mode = next((value for key, value in pairs if key == "history"), "own")
    if mode not in modes:
        problems.append(f"The link's history can be {', '.join(modes)}, not {_short(mode)}.")
        mode = "own"
    probe = next((value for key, value in pairs if key == "probe"), None)
    setup = SetUp(
        lanes=tuple(lanes), common=common, own={} if linked else own, linked=linked, mode=mode, probe=probe
    )
    return setup, problems


def _lane_problem(lane: str) -> str:
    """What is wrong with a lane's text as far as that can be told here; "" if nothing is."""
    if len(lane) > LANE_LIMIT:
        return f"is longer than {LANE_LIMIT} characters: it was left out."
    try:
        decoding = find_decoding(lane)
    except InputError:
        return "cannot be read: write it as name:key=value, with quotes around a value that has a comma."
    if decoding:
        return "has decoding parameters in it: give them beside the lanes, as in &temperature=0.7."
    return ""


def _read_way(pairs: Sequence[tuple[str, str]], before: str, problems: list[str]) -> Way | None:
    """How one lane or all decode; None where no parameter says."""
    values: dict[str, Any] = {}
    given = [(key.removeprefix(before), value) for key, value in pairs if key.startswith(before)]
    for name, value in given:
        try:
            if name == "stop":
                value = check_characters(value, "A text to stop at")
                values[name] = (*values.get(name, ()), value.replace("\\n", "\n"))
                Sampling(stop=values[name])
            elif name in NAMES:
                if len(value) > NUMBER_LIMIT:
                    raise InputError(f"{name} is longer than {NUMBER_LIMIT} characters: shorten it.")
                values[name] = getattr(Sampling.parse({name: value}), name)
            elif name == "new_seed":
                values[name] = value == SAID[name]
        except InputError as error:
            values.pop(name, None)
            problems.append(f"In the link: {error}")
    if not values:
        return None
    return Way(new_seed=bool(values.pop("new_seed", False)), sampling=Sampling(**values))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}\u2026")
