"""Catalog of adapters and demonstration sets, which also builds variants from lane specs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playground.demonstrations.files import read_demo_file
from playground.lanes.letters import lane_letter
from playground.lanes.names import (
    BASE,
    INSTRUCTION_ONLY,
    default_lanes,
    find_label,
    label_lanes,
)
from playground.library.presets import Preset
from playground.session import Session
from playground.templates import template_variables
from playground.types import AdapterCard, Conversation, DemoSet, InputError, Variant
from playground.ui.page.controller.values import LaneSettings
from playground.ui.page.state import PageState


class LaneCatalog:
    """Adapters, demonstration sets and default lane specs for the loaded base model."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def preset(self) -> Preset | None:
        """Return the preset that selected the base model, or None if no preset was used."""
        return self.session.library.preset

    # --- Adapters -----------------------------------------------------------------------------------

    def cards(self) -> dict[str, AdapterCard]:
        """Return all adapter cards by name, including cards of adapters still downloading or failed."""
        library = self.session.library
        # Read the pending adapters first, so that an adapter that becomes ready in between is in both
        # dictionaries rather than in neither.
        pending = library.pending_sources()
        present = dict(library.adapters)
        absent = {
            name: AdapterCard(name=name, source=source, base_model="", label=name)
            for name, source in pending.items()
            if name not in present
        }
        return present | absent

    def default_adapter(self) -> str | None:
        """Return the name of the default adapter, or None if no adapter is usable.

        Adapters from the preset take precedence.
        """
        preset = self.preset()
        own = [adapter.name for adapter in preset.adapters] if preset else []
        broken = {status.card.name for status in self.session.status().adapters if status.error is not None}
        cards = self.cards()
        names = [name for name in dict.fromkeys([*own, *cards]) if name in cards and name not in broken]
        return names[0] if names else None

    def adapter_error(self, name: str | None) -> str | None:
        """Return the error or warning about an adapter, or None if it has neither."""
        for status in self.session.status().adapters:
            if status.card.name == name:
                return status.error or status.warning
        return None

    # --- Demonstration sets -------------------------------------------------------------------------

    def sets(self, state: PageState | None = None) -> dict[str, DemoSet]:
        """Return the demonstration sets by name, including the page's unsaved sets."""
        return {**self.session.library.demo_sets, **(state.demonstrations.sets if state else {})}

    def default_set(self) -> str:
        """Return the name of the default demonstration set for the base model."""
        return self.session.library.default_demo_set().name

    def read_set(self, path: Any) -> DemoSet:
        """Parse a demonstration set from an uploaded file.

        Raises:
            InputError: no file was given, or it is not a demonstration set.
        """
        if not isinstance(path, str):
            raise InputError("No file selected: choose a .txt or .toml file.")
        return read_demo_file(Path(path))

    def save_set(self, demos: DemoSet, name: str) -> Path:
        """Save a demonstration set to the user's folder under the given name.

        Raises:
            InputError: the name is missing or invalid.
            OutsideError: the file cannot be written.
        """
        if not name:
            raise InputError("The set needs a name: enter one next to Save.")
        return self.session.library.save(dataclasses.replace(demos, name=name))

    # --- Chat formats -------------------------------------------------------------------------------

    def has_base_format(self) -> bool:
        """Return whether the base model has a chat format."""
        return self.session.library.base_format is not None

    def template_names(self, adapter: str | None) -> tuple[str, ...]:
        """Return the names of an adapter's chat templates, or of the base model's if `adapter` is None.

        Return () if the adapter is unavailable.
        """
        try:
            return self.session.library.template_names(adapter)
        except InputError:
            return ()

    def template_variables(self, adapter: str | None, template: str | None) -> tuple[str, ...]:
        """Return the variables used by a chat template, or () if the template is unavailable."""
        try:
            format = self.session.library.chat_format(adapter, template)
        except InputError:
            return ()
        return () if format is None else template_variables(format)

    # --- Variants -----------------------------------------------------------------------------------

    def default_lane(self, lane: int) -> str:
        """Return a lane's default spec, as defined by `lanes.names.default_lanes`."""
        spec = default_lanes(self.default_adapter())[lane]
        # A set that could not be parsed is used as a whole, so its instruction cannot be used alone.
        return BASE if spec == INSTRUCTION_ONLY and self.session.library.default_demo_set().whole else spec

    def variant(self, spec: str, state: PageState | None = None) -> Variant:
        """Build a variant from a lane spec.

        Raises:
            InputError: the spec cannot be used.
        """
        return self.session.variant(spec, sets=state.demonstrations.sets if state else None)

    def lane_variant(
        self, state: PageState, conversation: Conversation | None, lane: int, settings: LaneSettings
    ) -> Variant:
        """Build a lane's variant with its decoding parameters.

        A lane whose spec has not changed keeps its aligner, even if the aligner's files have changed on disk.

        Args:
            state: the page's state.
            conversation: the conversation shown on the page, if any.
            lane: number of the lane.
            settings: settings of all lanes.

        Raises:
            InputError: the lane cannot be used.
        """
        spec = settings.specs[lane]
        with self.name_lane_in_errors(state, lane, spec):
            return self._build_variant(state, conversation, lane, settings)

    def _build_variant(
        self, state: PageState, conversation: Conversation | None, lane: int, settings: LaneSettings
    ) -> Variant:
        spec = settings.specs[lane]
        before = conversation.variants[lane] if conversation and lane < len(conversation.variants) else None
        if before and before.name == spec:
            variant = before
        else:
            variant = self.variant(spec, state)
            if before:
                variant = dataclasses.replace(variant, sampling=before.sampling)
        sampling = dataclasses.replace(variant.sampling, **settings.decoding[lane])
        return dataclasses.replace(variant, sampling=sampling)

    def lane_variants(
        self, state: PageState, conversation: Conversation | None, settings: LaneSettings
    ) -> tuple[Variant, ...]:
        """Build the variants of all lanes by calling `lane_variant` for each of them."""
        lanes = range(len(settings.specs))
        return tuple(self.lane_variant(state, conversation, lane, settings) for lane in lanes)

    def name_lane(self, state: PageState, lane: int, spec: str) -> str:
        """Return a lane's name for messages, such as "Lane B (Base + URIAL)".

        In blind mode, or if there is no such lane, the name is only the letter.
        """
        label = None if state.blind else find_label(spec, label_lanes(self.cards()))
        return f"Lane {lane_letter(lane)}" + (f" ({label})" if label else "")

    @contextmanager
    def name_lane_in_errors(self, state: PageState, lane: int, spec: str) -> Iterator[None]:
        """Context manager that prefixes the message of an InputError with the lane's name."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.name_lane(state, lane, spec)}: {error}") from error

    def warm(self, specs: Sequence[str]) -> None:
        """Prefill the lanes' prompts before the first message, skipping lanes that cannot be used."""
        for spec in specs:
            with suppress(InputError):
                self.session.warm([self.variant(spec)])
