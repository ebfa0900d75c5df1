"""Playing a probe in a conversation: starting it, and counting the messages that have been sent."""

from __future__ import annotations

from playground.library.probes import Probe
from playground.types import InputError
from playground.ui.html.probes import order_probes
from playground.ui.page.controller.conversations import Conversations, refuse_while_streaming
from playground.ui.page.state import PageState


class Probes:
    """The probes that a page can play."""

    def __init__(self, conversations: Conversations) -> None:
        self.session = conversations.session
        self.conversations = conversations

    @property
    def base(self) -> str:
        """The loaded base, which decides the order of the probes."""
        return self.session.library.base

    @property
    def problems(self) -> list[str]:
        """One sentence for each file of probes that could not be read, with its path."""
        return self.session.library.probe_problems

    def start(self, state: PageState, name: str) -> Probe:
        """Start a new conversation for a probe's messages.

        Raises:
            InputError: there is no such probe, or an answer is being written.
        """
        refuse_while_streaming(state)
        probe = self.find(name)
        self.conversations.new(state)
        state.probe = name
        return probe

    def find(self, name: str) -> Probe:
        """Return the probe with a name.

        Raises:
            InputError: there is no such probe.
        """
        for probe in self.session.library.probes:
            if probe.name == name:
                return probe
        short = name if len(name) <= 60 else f"{name[:59]}\u2026"
        raise InputError(f"There is no probe {short!r}: choose one under Probes.")

    def current(self, state: PageState) -> tuple[Probe, int] | None:
        """Return the probe being played and how many of its messages have been sent; None if there is none.

        The number is counted in the conversation, so that the message of an undone turn is sent again.
        """
        probe = next((probe for probe in self.session.library.probes if probe.name == state.probe), None)
        return (probe, probe.asked(self.conversations.user_messages(state))) if probe else None

    def list_ordered(self) -> list[Probe]:
        """Return all probes in the order of the page's list."""
        return order_probes(self.session.library.probes, self.base)

    def find_next(self, state: PageState) -> str | None:
        """Return the name of the next probe in the list; None at its end."""
        names = [probe.name for probe in self.list_ordered()]
        at = names.index(state.probe) + 1 if state.probe in names else len(names)
        return names[at] if at < len(names) else None

    def remaining_messages(self, state: PageState) -> tuple[str, ...]:
        """Return the messages of the current probe that have not been sent.

        Raises:
            InputError: there are none.
        """
        current = self.current(state)
        if current is None:
            raise InputError("No probe is being played: choose one under Probes.")
        probe, sent = current
        if sent == len(probe.turns):
            raise InputError("All messages of this probe have been sent: choose the next one.")
        return probe.turns[sent:]
