"""The JSON document of a conversation that `chat --json` prints and that the page offers for download.

Scripts rely on its keys: keys may be added, but not renamed or removed.
"""

from __future__ import annotations

from typing import Any

from playground.types.conversations import Answer, Conversation
from playground.types.json import to_json

REPLY_KEYS = (
    "raw_text",
    "finish",
    "error",
    "prompt_tokens",
    "cached_tokens",
    "new_tokens",
    "ttft",
    "seconds",
    "is_estimated",
    "notes",
)


def chat_json(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as the document that `chat --json` prints and the page downloads."""
    return {
        "id": conversation.id,
        "turns": [
            {"user": turn.user, "answers": [_answer_json(answer) for answer in turn.answers]}
            for turn in conversation.turns
        ],
    }


def _answer_json(answer: Answer) -> dict[str, Any]:
    """Return the JSON data for one lane's answer: the variant, the exact prompt, and the reply."""
    request = answer.request
    return {
        "variant": answer.variant,
        "adapter": request.prompt.adapter if request else None,
        "prompt": request.prompt.text if request else None,
        "left_out": to_json(request.left_out) if request else None,
        "text": answer.text,
        **{name: getattr(answer.reply, name) for name in REPLY_KEYS},
    }
