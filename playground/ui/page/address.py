"""The address bar and the link to the page's settings: writing them, and applying the settings of a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
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
    """The page's controls that a link sets."""

    lanes: Sequence[Lane]
    decoding: DecodingControls
    linked: gr.Checkbox
    mode: gr.Dropdown
    modes: Sequence[str]
    defaults: Sequence[str]
    """Each lane's spec on a fresh page."""


class Address:
    """Hidden text boxes, created inside a `gr.Blocks`, that page.js reads when they change."""

    def __init__(self, chat: Controller) -> None:
        self.chat = chat
        self.conversation = self._hidden("address")
        """The id of the conversation on the page."""
        self.link = self._hidden("link")
        """A link with all settings."""
        self.kept = self._hidden("kept")
        """The settings that differ from a fresh page, for the address bar and for reopening the page."""
        self.moved = self._hidden("moved")
        """Changes when settings change that belong to a link but to no control."""

    def _hidden(self, id: str) -> gr.Textbox:
        return gr.Textbox("", visible="hidden", elem_id=id, elem_classes="nowhere", container=False)

    @property
    def parts(self) -> list[Any]:
        """The components that handlers update."""
        return [self.conversation, self.link, self.kept, self.moved]

    def connect(self, copy: gr.Button) -> None:
        """Connect page.js to the hidden boxes and the copy button."""
        for box in (self.conversation, self.kept):
            box.change(None, [self.conversation, self.kept], None, js=FOLLOW, **HIDDEN)
        copied = copy.click(None, [self.link], None, js="(link) => tandemCopyLink(link)", **HIDDEN)
        copied.then(self.on_copied, None, None, **QUICK)

    def on_copied(self) -> None:
        """Show a toast that describes the link that page.js copied."""
        say("Link copied. It contains the lanes, the decoding parameters and the probe, but no messages.")

    def draw_moved(self, state: PageState) -> Updates:
        """Return the updates to send after lanes or the probe have changed."""
        return {self.moved: f"{state.lanes} {state.probe or ''}"}

    # --- From the controls to a link --------------------------------------------------------------------

    def write(
        self, state: PageState, wish: LaneSettings, controls: Controls, linked: bool, mode: str
    ) -> Updates:
        """Return the updates that write the settings into the hidden boxes."""
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
        """Apply the settings in a page's address; show a warning for each part that cannot be used.

        Args:
            state: of the page, which must be fresh.
            pairs: the names and values of the address's parameters.
            controls: the controls to set.
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
                    "The link continues from a lane that it does not contain: that setting was ignored."
                )
                del updates[controls.mode]
        if setup.probe is not None:
            self.take_up(state, setup.probe, problems)
        for problem in problems:
            warn(InputError(problem))
        return updates

    def take_up(self, state: PageState, probe: str, problems: list[str]) -> None:
        """Choose the probe of a link, if a probe of that name exists."""
        try:
            self.chat.probes.find(probe)
            state.probe = probe
        except InputError as error:
            problems.append(f"In the link: {error}")

    def _check_spec(self, state: PageState, lane: int, spec: str, problems: list[str]) -> str:
        """Return the lane spec if it can be used; otherwise "", with the reason appended to `problems`."""
        if not spec:
            return ""  # the reason is in `problems`
        try:
            self.chat.catalog.variant(spec, state)
        except InputError as error:
            problems.append(f"Lane {lane_letter(lane)} of the link: {error}")
            return ""
        return spec


FOLLOW = "(id, kept) => tandemAddress(id, kept)"


def _limit_tokens(way: link.DecodingSettings, most: int | None) -> link.DecodingSettings:
    """Return decoding settings with the number of new tokens limited to the page's maximum."""
    tokens = way.sampling.max_new_tokens
    sampling = replace(way.sampling, max_new_tokens=tokens if most is None else min(tokens, most))
    return replace(way, sampling=sampling)


def _set_to(own: DecodingControls, way: link.DecodingSettings) -> Updates:
    return {
        **own.set_to(way.sampling),
        own.control("new_seed"): way.new_seed,
    }
