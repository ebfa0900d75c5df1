"""The page's access to a session: functions on plain values, without Gradio, grouped by subject.

`page` and `dialogs` convert the results into updates of components.
"""

from __future__ import annotations

from collections.abc import Callable

from playground.rate_limits import Gate
from playground.session import Session
from playground.ui.page.controller.catalog import LaneCatalog
from playground.ui.page.controller.conversations import Conversations
from playground.ui.page.controller.demonstrations import DemonstrationDrafts
from playground.ui.page.controller.probes import Probes
from playground.ui.page.controller.prompts import Prompts
from playground.ui.page.controller.streaming import Streaming
from playground.ui.page.controller.values import LaneSettings, PromptPreview, Snapshot

__all__ = ["Controller", "LaneSettings", "PromptPreview", "Snapshot"]


class Controller:
    """Runs a page's operations on a session. It stores no user's data; that is in each `PageState`."""

    def __init__(
        self,
        session: Session,
        gate: Gate | None = None,
        visitor: Callable[[], str] = lambda: "",
        owner: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Create the parts.

        Args:
            session: shared by all pages.
            gate: limits messages.
            visitor: returns, within a handler, an identifier of the sender.
            owner: returns, within a handler, the owner of new conversations, see `Conversations`.
        """
        self.session = session
        self.gate = gate or Gate()
        self.visitor = visitor
        self.owner = owner
        self.catalog = LaneCatalog(session)
        self.conversations = Conversations(session, owner)
        self.streaming = Streaming(self.catalog, self.conversations, self.gate, visitor)
        self.drafts = DemonstrationDrafts(self.catalog)
        self.probes = Probes(self.conversations)
        self.prompts = Prompts(self.catalog, self.conversations)
