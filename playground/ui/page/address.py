"""Synchronize the page's settings with the address bar and the shareable link."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.lanes.recipe import Recipe
from playground.types import InputError, Sampling
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.events import HIDDEN, QUICK, Updates
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import say, warn
from playground.ui.page import link
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.state import LANES, PageState


@dataclass(frozen=True, kw_only=True)
class Controls:
    """The page controls whose values are part of a link."""

    lanes: Sequence[Lane]
    decoding: DecodingControls
    linked: gr.Checkbox
    mode: gr.Dropdown
    modes: Sequence[str]
    defaults: Sequence[str]
    """Default lane specs for a new page, one per lane."""


class Address:
    """Hidden text boxes read by `address.js` whenever their values change.

    Must be created inside a `gr.Blocks` context.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.conversation = self._hidden_textbox("address")
        """Id of the conversation shown on the page."""
        self.link = self._hidden_textbox("link")
        """Query string containing all settings."""
        self.kept = self._hidden_textbox("kept")
        """Query string of the non-default settings, kept in the address bar so that a reload restores it."""
        self.running = self._hidden_textbox("running")
        """Text that changes whenever the page opens a conversation whose answers are being generated."""
        self.moved = self._hidden_textbox("moved")
        """Text that depends on the number of lanes and the probe. A change triggers an update of the link."""
        self.changed = gr.Button(visible="hidden", elem_id="changed", elem_classes="nowhere")
        """Button pressed by `address.js` once after any number of settings have changed."""

    def _hidden_textbox(self, id: str) -> gr.Textbox:
        return gr.Textbox("", visible="hidden", elem_id=id, elem_classes="nowhere", container=False)

    @property
    def parts(self) -> list[Any]:
        """Components updated by this feature's event handlers."""
        return [self.conversation, self.link, self.kept, self.moved, self.running]

    def connect(self, copy: gr.Button, settings: Sequence[Any]) -> None:
        """Connect `address.js` to the hidden text boxes, the copy button and the settings in a link."""
        changes = [each.change for each in (*settings, self.moved)]
        gr.on(changes, None, None, None, js="() => tandemChanged()", trigger_mode="multiple", **HIDDEN)
        for box in (self.conversation, self.kept):
            box.change(None, [self.conversation, self.kept], None, js=FOLLOW, **HIDDEN)
        copied = copy.click(None, [self.link], None, js="(link) => tandemCopyLink(link)", **HIDDEN)
        copied.then(self.on_copied, None, None, **QUICK)

    def on_copied(self) -> None:
        """Show a toast that describes the link copied by `address.js`."""
        say("Link copied. It includes the lanes, decoding parameters and probe, but no messages.")

    def draw_moved(self, state: PageState) -> Updates:
        """Return UI updates that trigger an update of the link if the lane count or the probe has changed."""
        return {self.moved: f"{state.lanes} {state.probe or ''}"}

    def draw_running(self, state: PageState) -> Updates:
        """Return UI updates that make the page follow the answers being generated in its conversation."""
        run = self.controller.streaming.find_run(state)
        return {self.running: f"{run.id} {time.monotonic_ns()}"} if run is not None else {}

    # --- From the controls to a link --------------------------------------------------------------------

    def write(
        self, state: PageState, wish: LaneSettings, controls: Controls, linked: bool, mode: str
    ) -> Updates:
        """Return UI updates that write the settings to the hidden text boxes."""
        ways = [
            link.DecodingSettings(sampling=Sampling(**decoding), new_seed=new)
            for decoding, new in zip(wish.decoding, wish.new_seeds, strict=True)
        ]
        setup = link.PageSetup(
            lanes=tuple(wish.specs),
            common=ways[0] if linked else None,
            own={} if linked else dict(enumerate(ways)),
            linked=linked,
            mode=mode,
        )
        fresh = link.PageSetup(
            lanes=tuple(controls.defaults[: PageState.lanes]),
            common=_limit_tokens(link.DecodingSettings(), controls.decoding.most),
        )
        probe = link.write_link(link.PageSetup(probe=state.probe))
        whole = link.write_link(setup)
        kept = "" if setup == fresh else whole
        return {
            self.link: "&".join(filter(None, (whole, probe))),
            self.kept: "&".join(filter(None, (kept, probe))),
            **self.draw_moved(state),
        }

    # --- From a link to the controls ----------------------------------------------------------------------

    def follow(self, state: PageState, pairs: Sequence[tuple[str, str]], controls: Controls) -> Updates:
        """Apply the settings from the page address, and show a warning for each invalid setting.

        Args:
            state: state of a new page.
            pairs: query parameters in the address, as (name, value) pairs.
            controls: controls to set.
        """
        setup, problems = link.read_link(pairs, LANES, controls.modes)
        updates: Updates = {}
        if setup.lanes:
            state.lanes = len(setup.lanes)
        for lane, spec in zip(controls.lanes, setup.lanes, strict=False):
            spec = self._check_spec(state, lane.number, spec, problems) or controls.defaults[lane.number]
            updates |= lane.set_to(state, spec)
            updates[lane.live] = lane.placeholder(spec, state)
        if setup.common is not None:
            updates |= _set_to(controls.decoding, _limit_tokens(setup.common, controls.decoding.most))
        if not setup.linked:
            updates[controls.linked] = False
            for lane in controls.lanes:
                updates[lane.own_decoding] = gr.update(visible=True)
                way = setup.own.get(lane.number, link.DecodingSettings())
                updates |= _set_to(lane.decoding, _limit_tokens(way, controls.decoding.most))
        if setup.mode != "own":
            updates[controls.mode] = setup.mode
            if setup.mode.startswith("shared-") and int(setup.mode[-1]) >= state.lanes:
                problems.append(
                    "The link's history setting refers to a lane that is not in the link, so it was ignored."
                )
                del updates[controls.mode]
        if setup.probe is not None:
            self.take_up(state, setup.probe, problems)
        for problem in problems:
            warn(InputError(problem))
        return updates

    def take_up(self, state: PageState, probe: str, problems: list[str]) -> None:
        """Select the probe specified in a link. If it does not exist, append an error to `problems`."""
        try:
            self.controller.probes.find(probe)
            state.probe = probe
        except InputError as error:
            problems.append(f"Invalid link: {error}")

    def _check_spec(self, state: PageState, lane: int, spec: str, problems: list[str]) -> str:
        """Return the lane spec if it is usable. Otherwise, append the reason to `problems` and return ""."""
        if not spec:
            return ""  # the reason has been added to `problems`
        try:
            self.controller.catalog.variant(spec, state)
        except InputError as error:
            problems.append(f"{self.controller.catalog.name_lane(state, lane, spec)} in the link: {error}")
            # A lane without its set stays what it is, and says what is missing.
            return spec if self._is_set_missing(state, spec) else ""
        return spec

    def _is_set_missing(self, state: PageState, spec: str) -> bool:
        """Return whether a lane spec names a demonstration set that does not exist."""
        try:
            recipe = Recipe.of(spec)
        except InputError:
            return False
        return bool(recipe.demos) and recipe.demos not in self.controller.catalog.sets(state)


FOLLOW = "(id, kept) => tandemAddress(id, kept)"


def _limit_tokens(way: link.DecodingSettings, most: int | None) -> link.DecodingSettings:
    """Return the decoding parameters with `max_new_tokens` capped at `most`."""
    tokens = way.sampling.max_new_tokens
    sampling = replace(way.sampling, max_new_tokens=tokens if most is None else min(tokens, most))
    return replace(way, sampling=sampling)


def _set_to(own: DecodingControls, way: link.DecodingSettings) -> Updates:
    return {
        **own.set_to(way.sampling),
        own.control("new_seed"): way.new_seed,
    }
