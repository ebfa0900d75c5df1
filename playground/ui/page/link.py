"""Encode the page's settings (lanes, decoding parameters, history mode and probe) as a link.

Messages and unsent text are not included.

Example: ``?lane=urial:k=2&lane=pocket-ift&temperature=0.7&probe=pocket/3``. If each lane has its own decoding
parameters, the link contains ``linked=no``, and each parameter starts with the lane's letter:
``b.temperature=1``. Plain data, independent of Gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from playground.lanes.letters import lane_letter
from playground.lanes.spec import parse_spec
from playground.lanes.variant import find_decoding
from playground.types import InputError, Sampling, check_characters
from playground.words import format_number

LANE_LIMIT = 4000
"""Maximum length of a lane spec in a link, in characters."""
NUMBER_LIMIT = 40
NAMES = tuple(name for name in Sampling.__dataclass_fields__)
SWITCHES = {"linked": "no", "new_seed": "yes"}
"""The non-default value of each on/off setting. Settings with their default value are omitted from links."""


@dataclass(frozen=True, kw_only=True)
class DecodingSettings:
    """Decoding parameters in a link, which apply to one lane or to all lanes."""

    sampling: Sampling = field(default_factory=Sampling)
    new_seed: bool = False
    """Whether every turn uses a new seed."""


@dataclass(frozen=True, kw_only=True)
class PageSetup:
    """The page settings contained in a link."""

    lanes: tuple[str, ...] = ()
    """Lane specs, one per lane, or () if the link contains no lanes."""
    common: DecodingSettings | None = None
    """Decoding parameters shared by all lanes, or None if the link contains no shared parameters."""
    own: Mapping[int, DecodingSettings] = field(default_factory=dict)
    """Decoding parameters by lane number; empty if all lanes share the same parameters."""
    linked: bool = True
    mode: str = "own"
    """History mode, as in the page's control: "own", "shared-0" to "shared-3", or "swapped"."""
    probe: str | None = None


def write_link(setup: PageSetup) -> str:
    """Return a link's query string, without the question mark. Default values are omitted."""
    pairs = [("lane", lane) for lane in setup.lanes]
    if setup.linked:
        pairs += _list_parameters(setup.common or DecodingSettings(), "")
    else:
        pairs.append(("linked", SWITCHES["linked"]))
        for lane, settings in setup.own.items():
            pairs += _list_parameters(settings, _prefix(lane))
    if setup.mode != "own":
        pairs.append(("history", setup.mode))
    if setup.probe:
        pairs.append(("probe", setup.probe))
    # These characters are valid unescaped in a query string, and links are more readable that way.
    return "&".join(f"{key}={quote(value, safe=':,=./')}" for key, value in pairs)


def _prefix(lane: int) -> str:
    """Return the prefix for the names of a lane's own parameters, for example "b." for lane B."""
    return f"{lane_letter(lane).lower()}."


def _list_parameters(settings: DecodingSettings, prefix: str) -> list[tuple[str, str]]:
    pairs = []
    for name in NAMES:
        value = getattr(settings.sampling, name)
        if value == getattr(Sampling, name):
            continue
        texts = value if name == "stop" else [f"{value:.15g}" if isinstance(value, float) else str(value)]
        pairs += [(prefix + name, text.replace("\n", "\\n")) for text in texts]
    if settings.new_seed:
        pairs.append((f"{prefix}new_seed", SWITCHES["new_seed"]))
    return pairs


def read_link(
    pairs: Sequence[tuple[str, str]], most_lanes: int, modes: Sequence[str]
) -> tuple[PageSetup, list[str]]:
    """Read the settings from a link's parameters.

    Unknown parameters are ignored. The caller must check whether the lanes and the probe exist.

    Args:
        pairs: query parameters of the link, as (name, value) pairs.
        most_lanes: maximum number of lanes.
        modes: valid values of `PageSetup.mode`.

    Returns:
        The settings, and one sentence for each invalid parameter.
    """
    problems: list[str] = []
    lanes = [value for key, value in pairs if key == "lane"]
    if len(lanes) > most_lanes:
        problems.append(f"The link has {len(lanes)} lanes: only the first {most_lanes} are shown.")
        lanes = lanes[:most_lanes]
    for number, lane in enumerate(lanes):
        if problem := _lane_problem(lane):
            problems.append(f"Lane {lane_letter(number)} in the link {problem}")
            lanes[number] = ""
    linked = not any((key, value) == ("linked", "no") for key, value in pairs)
    common = _read_decoding(pairs, "", problems)
    own = {
        lane: settings or DecodingSettings()
        for lane in range(most_lanes)
        if (settings := _read_decoding(pairs, _prefix(lane), problems)) or (not linked and lane < len(lanes))
    }
    mode = next((value for key, value in pairs if key == "history"), "own")
    if mode not in modes:
        problems.append(
            f"The link's history mode must be one of {', '.join(modes)}, not {_quote_short(mode)}."
        )
        mode = "own"
    probe = next((value for key, value in pairs if key == "probe"), None)
    setup = PageSetup(
        lanes=tuple(lanes), common=common, own={} if linked else own, linked=linked, mode=mode, probe=probe
    )
    return _apply_lane_seeds(setup, {key for key, _ in pairs}, problems), problems


def _apply_lane_seeds(setup: PageSetup, given: set[str], problems: list[str]) -> PageSetup:
    """Apply the seeds in the specs of ablated lanes, because the page has one seed for ablation and sampling.

    Args:
        setup: the settings in the link.
        given: names of the link's parameters. A seed among them has precedence.
        problems: receives one sentence for each lane whose seed cannot be applied.
    """
    common, own = setup.common, dict(setup.own)
    for number, lane in enumerate(setup.lanes):
        wanted = parse_spec(lane)[1].get("seed") if lane else None
        if wanted is None:
            continue
        name = "seed" if setup.linked else f"{_prefix(number)}seed"
        decoding = (common if setup.linked else own.get(number)) or DecodingSettings()
        if name not in given:
            try:
                sampling = Sampling.parse({"seed": wanted})
            except InputError as error:
                problems.append(f"Lane {lane_letter(number)} in the link: {error}")
                continue
            decoding = replace(decoding, sampling=replace(decoding.sampling, seed=sampling.seed))
            given = given | {name}
            if setup.linked:
                common = decoding
            else:
                own[number] = decoding
        elif str(decoding.sampling.seed) != wanted:
            problems.append(
                f"Lane {lane_letter(number)} in the link has the seed {_quote_short(wanted)}, but its "
                f"answers have the seed {decoding.sampling.seed}, which applies to both: write one seed only."
            )
    return replace(setup, common=common, own=own)


def _lane_problem(lane: str) -> str:
    """Return the rest of an error message that starts with the lane; "" if the lane spec is valid."""
    if len(lane) > LANE_LIMIT:
        return f"is longer than {format_number(LANE_LIMIT)} characters, so it was ignored."
    try:
        decoding = find_decoding(lane)
    except InputError:
        return "is not a valid lane spec: write name:key=value, and quote values that contain a comma."
    if decoding:
        return "contains decoding parameters: give them separately, for example &temperature=0.7."
    return ""


def _read_decoding(
    pairs: Sequence[tuple[str, str]], prefix: str, problems: list[str]
) -> DecodingSettings | None:
    """Parse the decoding parameters whose names start with `prefix`. Return None if there are none."""
    values: dict[str, Any] = {}
    given = [(key.removeprefix(prefix), value) for key, value in pairs if key.startswith(prefix)]
    for name, value in given:
        try:
            if name == "stop":
                value = check_characters(value, "A stop sequence")
                values[name] = (*values.get(name, ()), value.replace("\\n", "\n"))
                Sampling(stop=values[name])
            elif name in NAMES:
                if len(value) > NUMBER_LIMIT:
                    raise InputError(
                        f"{name} is longer than {format_number(NUMBER_LIMIT)} characters: shorten it."
                    )
                values[name] = getattr(Sampling.parse({name: value}), name)
            elif name == "new_seed":
                values[name] = value == SWITCHES[name]
        except InputError as error:
            values.pop(name, None)
            problems.append(f"Invalid link: {error}")
    if not values:
        return None
    return DecodingSettings(new_seed=bool(values.pop("new_seed", False)), sampling=Sampling(**values))


def _quote_short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}\u2026")
