"""Play probes in conversations: start a probe and track which of its messages have been sent."""

from __future__ import annotations

from playground.library.probes import Probe
from playground.types import InputError
from playground.ui.html.probes import order_probes
from playground.ui.page.controller.conversations import Conversations, refuse_while_streaming
from playground.ui.page.state import PageState


class Probes:
    """Operations on probes: start a probe, and find its remaining messages and the next probe."""

    def __init__(self, conversations: Conversations) -> None:
        self.session = conversations.session
        self.conversations = conversations

    @property
    def base(self) -> str:
        """The loaded base model, which determines the order of the probes."""
        return self.session.library.base

    @property
    def problems(self) -> list[str]:
        """One sentence per unreadable probe file, including its path."""
        return self.session.library.probe_problems

    def start(self, state: PageState, name: str) -> Probe:
        """Start a probe in a new conversation.

        Raises:
            InputError: the probe does not exist, or an answer is being generated.
        """
        refuse_while_streaming(state)
        probe = self.find(name)
        self.conversations.new(state)
        state.probe = name
        return probe

    def find(self, name: str) -> Probe:
        """Return the probe with the given name.

        Raises:
            InputError: no probe has that name.
        """
        for probe in self.session.library.probes:
            if probe.name == name:
                return probe
        short = name if len(name) <= 60 else f"{name[:59]}\u2026"
        raise InputError(f"There is no probe {short!r}: choose one under Probes.")

    def current(self, state: PageState) -> tuple[Probe, int] | None:
        """Return the active probe and the number of messages already sent, or None if no probe is active.

        The number is derived from the conversation. After the user undoes a turn, the turn's message becomes
        the next message again.
        """
        probe = next((probe for probe in self.session.library.probes if probe.name == state.probe), None)
        return (probe, probe.count_sent(self.conversations.user_messages(state))) if probe else None

    def list_ordered(self) -> list[Probe]:
        """Return all probes in display order."""
        return order_probes(self.session.library.probes, self.base)

    def find_next(self, state: PageState) -> str | None:
        """Return the name of the next probe in display order, or None after the last probe."""
        names = [probe.name for probe in self.list_ordered()]
        at = names.index(state.probe) + 1 if state.probe in names else len(names)
        return names[at] if at < len(names) else None

    def remaining_messages(self, state: PageState) -> tuple[str, ...]:
        """Return the active probe's unsent messages.

        Raises:
            InputError: no probe is playing, or all of its messages have been sent.
        """
        current = self.current(state)
        if current is None:
            raise InputError("No probe is playing: choose one under Probes.")
        probe, sent = current
        if sent == len(probe.turns):
            raise InputError("All messages of this probe have been sent: choose the next probe.")
        return probe.turns[sent:]
