"""Prompt previews for the page: a lane's next prompt, and the prompt of any earlier answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from playground.types import Conversation, InputError, LeftOut, Message, Prompt, SelectedDemo, Variant
from playground.ui.page.controller.catalog import LaneCatalog
from playground.ui.page.controller.conversations import Conversations
from playground.ui.page.controller.values import LaneSettings, PromptPreview
from playground.ui.page.state import LANES, PageState


class Prompts:
    """Builder of prompt previews, for a lane's next prompt or for the prompt of an earlier answer."""

    def __init__(self, catalog: LaneCatalog, conversations: Conversations) -> None:
        self.session = conversations.session
        self.catalog, self.conversations = catalog, conversations

    def preview_next(
        self, state: PageState, lane: int, settings: LaneSettings, text: str = ""
    ) -> PromptPreview:
        """Build a preview of a lane's next prompt, with `text` as the next message.

        Raises:
            InputError: the lane does not exist or cannot be used.
        """
        settings.require(lane)
        current = self.conversations.current(state)
        if current is not None and state.editing_turn is not None:
            current = current.before(state.editing_turn)
        variant = self._next_variant(state, current, lane, settings)
        histories = settings.histories
        whose = histories[lane] if lane < len(histories) else lane
        history = current.history(whose) if current else ()
        messages = [*history, Message(role="user", text=text)]
        prompt = variant.aligner(messages).with_prefill(settings.prefill)
        chosen = _retrieve(variant, messages, None)
        preview = PromptPreview(prompt=prompt, tokens=self.session.tokens(prompt), chosen=chosen)
        conversation = current or self.session.new([variant])
        variants = [variant] * max(LANES, lane + 1)
        try:
            request = self.session.request(
                dataclasses.replace(conversation, variants=tuple(variants)),
                lane,
                text,
                whose,
                settings.prefill,
            )
        except InputError as error:
            return dataclasses.replace(preview, error=str(error))
        if request.left_out is None:
            return preview
        return PromptPreview(
            prompt=request.prompt,
            tokens=self.session.tokens(request.prompt),
            left_out=request.left_out,
            chosen=_retrieve(variant, messages, request.left_out),
        )

    def _next_variant(
        self, state: PageState, current: Conversation | None, lane: int, settings: LaneSettings
    ) -> Variant:
        if state.blind and current is not None and lane < len(current.variants):
            return current.variants[lane]
        return self.catalog.lane_variant(state, current, lane, settings)

    def latest_turn(self, state: PageState, lane: int, settings: LaneSettings) -> int | None:
        """Return the index of the last turn, or None if its prompt tells nothing about the lane.

        It tells something if a prompt was sent in it for the lane as it is set up now.

        Raises:
            InputError: the lane does not exist.
        """
        settings.require(lane)
        current = self.conversations.current(state)
        if current is None or not current.turns or state.editing_turn is not None:
            return None
        answers = current.turns[-1].answers
        asked = lane < len(answers) and answers[lane].request is not None
        return len(current.turns) - 1 if asked and not self.is_changed(state, lane, settings) else None

    def is_changed(self, state: PageState, lane: int, settings: LaneSettings) -> bool:
        """Return whether a lane's latest answer was generated with another setup than the present one."""
        current = self.conversations.current(state)
        answers = current.turns[-1].answers if current and current.turns else ()
        if lane >= len(answers):
            return False
        try:
            return self._next_variant(state, current, lane, settings).name != answers[lane].variant
        except InputError:  # for example, the demonstration set was deleted
            return True

    def preview_past(self, state: PageState, lane: int, turn: int) -> PromptPreview:
        """Return a preview of the prompt of a lane's answer in a turn. Turns are numbered from 0.

        Raises:
            InputError: the answer does not exist or has no prompt.
        """
        current = self.conversations.current(state)
        answers = current.turns[turn].answers if current and 0 <= turn < len(current.turns) else ()
        request = answers[lane].request if lane < len(answers) else None
        if request is None:
            raise InputError("No prompt was sent in that turn: choose another turn.")
        assert current is not None
        return PromptPreview(
            prompt=request.prompt,
            tokens=self.session.tokens(request.prompt),
            left_out=request.left_out,
            chosen=_retrieve_in_turn(current, lane, turn, request.left_out),
        )

    def end_markers(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the EOS tokens and stop sequences that end the answer to a prompt."""
        status = self.session.status()
        own = [entry.ends for entry in status.adapters if entry.card.name == prompt.adapter]
        named = (*prompt.stop.tokens, *prompt.stop.texts)
        if prompt.control_tokens and own:
            return tuple(dict.fromkeys((*own[0], *named)))
        return tuple(dict.fromkeys((*status.ends, *named)))


def _retrieve_in_turn(
    conversation: Conversation, lane: int, turn: int, left_out: LeftOut | None
) -> Sequence[SelectedDemo]:
    """Return the demonstrations retrieved for an earlier turn, or () if the recipe has since changed."""
    variant, whose = conversation.variants[lane], conversation.turns[turn].history_lane(lane)
    if variant.name != conversation.turns[turn].answers[lane].variant or whose is None:
        return ()
    history = conversation.before(turn).history(whose)
    messages = [*history, Message(role="user", text=conversation.turns[turn].user)]
    return _retrieve(variant, messages, left_out)


def _retrieve(
    variant: Variant, messages: Sequence[Message], left_out: LeftOut | None
) -> Sequence[SelectedDemo]:
    """Return the demonstrations retrieved for a prompt, in prompt order."""
    aligner = variant.aligner
    if left_out is not None:
        aligner = aligner.with_fewer_demonstrations(aligner.demonstration_count - left_out.demos)
        messages = messages[2 * left_out.turns :]
    return aligner.select_demonstrations(messages)
