"""Tandem's core value types: recipes, prompts, replies, conversations and judgments.

Every type is a frozen, keyword-only dataclass that compares by value. The types depend only on the standard
library, so any module can use them without importing a model, the page or the database. Row ids and
timestamps are handled by the store. A missing value is represented by None or a separate field. An empty
string or 0 never indicates a failure.
"""

from playground.types.adapters import AdapterCard, ChatFormat
from playground.types.conversations import Answer, Conversation, Turn
from playground.types.demonstrations import Demo, DemoSet, Exchange, SelectedDemo
from playground.types.errors import InputError, OutsideError
from playground.types.from_json import (
    answer_from_json,
    check_fields,
    demo_set_from_json,
    judge_call_from_json,
    request_from_json,
    verdict_from_json,
)
from playground.types.json import canonical, to_json
from playground.types.judgments import SETTLED, Aspect, JudgeCall, Outcome, Scope, Verdict
from playground.types.messages import Message, Role
from playground.types.prompts import (
    ChatModel,
    Part,
    PartKind,
    Piece,
    Prompt,
    StopName,
    StopRule,
    Token,
    number_messages,
)
from playground.types.replies import Delta, Done, Event, Finish, Reply, TokenScore, Waiting
from playground.types.requests import LeftOut, Request
from playground.types.sampling import SAMPLING_NAMES, Sampling
from playground.types.status import AdapterStatus, Status
from playground.types.text import (
    HALF_CHARACTER,
    LONGEST_NAME,
    check_characters,
    check_name,
    replace_surrogates,
)
from playground.types.variants import Aligner, Overflow, Variant

__all__ = [
    "HALF_CHARACTER",
    "LONGEST_NAME",
    "SAMPLING_NAMES",
    "SETTLED",
    "AdapterCard",
    "AdapterStatus",
    "Aligner",
    "Answer",
    "Aspect",
    "ChatFormat",
    "ChatModel",
    "Conversation",
    "Delta",
    "Demo",
    "DemoSet",
    "Done",
    "Event",
    "Exchange",
    "Finish",
    "InputError",
    "JudgeCall",
    "LeftOut",
    "Message",
    "Outcome",
    "OutsideError",
    "Overflow",
    "Part",
    "PartKind",
    "Piece",
    "Prompt",
    "Reply",
    "Request",
    "Role",
    "Sampling",
    "Scope",
    "SelectedDemo",
    "Status",
    "StopName",
    "StopRule",
    "Token",
    "TokenScore",
    "Turn",
    "Variant",
    "Verdict",
    "Waiting",
    "answer_from_json",
    "canonical",
    "check_characters",
    "check_fields",
    "check_name",
    "demo_set_from_json",
    "judge_call_from_json",
    "number_messages",
    "replace_surrogates",
    "request_from_json",
    "to_json",
    "verdict_from_json",
]
