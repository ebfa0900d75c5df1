"""The page's interface to a session. Its operations use plain values and are independent of Gradio.

The operations are grouped by subject. The packages `page` and `dialogs` convert the operations' results to
component updates.
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
    """Entry point for page operations on a session. Per-user data is stored in `PageState`, not here."""

    def __init__(
        self,
        session: Session,
        gate: Gate | None = None,
        visitor: Callable[[], str] = lambda: "",
        owner: Callable[[], str | None] = lambda: None,
        abandoned_after: float | None = None,
        offers_chat_models: bool = True,
    ) -> None:
        """Create one controller per subject.

        Args:
            session: the session, shared by all pages.
            gate: gate that applies rate limits to messages; None for no limits.
            visitor: function that returns an identifier for the client. It is called within a handler.
            owner: function that returns the owner of new conversations (see `Conversations`). It is called
                within a handler.
            abandoned_after: seconds for which answers that no page follows are generated; None for no limit.
            offers_chat_models: whether lanes can be given chat models on any server.
        """
        self.session = session
        self.gate = gate or Gate()
        self.visitor = visitor
        self.owner = owner
        self.offers_chat_models = offers_chat_models
        self.catalog = LaneCatalog(session)
        self.conversations = Conversations(session, owner)
        self.streaming = Streaming(self.catalog, self.conversations, self.gate, visitor, abandoned_after)
        self.drafts = DemonstrationDrafts(self.catalog)
        self.probes = Probes(self.conversations)
        self.prompts = Prompts(self.catalog, self.conversations)
