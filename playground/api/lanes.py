"""Lanes as models: list the lanes on offer, and build the variant that a request's `model` names."""

from __future__ import annotations

import dataclasses
from typing import Any

from playground.api.errors import ApiError
from playground.lanes.names import find_class, offer_lanes
from playground.lanes.spec import format_spec, parse_spec
from playground.lanes.variant import UnknownLaneError
from playground.session import Session
from playground.types import InputError, Sampling, Variant, check_characters
from playground.types.option_value import Quoted

RETRY_LOADING = 2.0
"""Seconds after which a client should try again while the model is loading."""


def check_ready(session: Session) -> None:
    """Check that the model is loaded.

    Raises:
        ApiError: it is still loading (503), or could not be loaded (500). A server that cannot be reached is
            tried again by the answer itself.
    """
    status = session.status()
    if status.state == "loading":
        raise ApiError(
            503,
            "The model is still loading: try again in a moment.",
            code="model_loading",
            retry_after=RETRY_LOADING,
        )
    if status.state == "failed" and not status.is_retrying:
        raise ApiError(500, status.note)


def list_models(session: Session, created: int) -> list[dict[str, Any]]:
    """Return the lanes on offer, without options, as OpenAI's model objects.

    Adapters that cannot be used are left out.

    Args:
        created: the time of creation to report, in seconds since 1970.
    """
    library, status = session.library, session.status()
    broken = {each.card.name for each in status.adapters if each.error is not None}
    cards = [card for name, card in library.adapters.items() if name not in broken]
    lanes = offer_lanes(cards, base_template=library.base_format is not None)
    return [describe_model(spec, created) for _, spec in lanes]


def describe_model(spec: str, created: int) -> dict[str, Any]:
    """Return OpenAI's model object for a lane spec."""
    return {"id": spec, "object": "model", "created": created, "owned_by": "tandem"}


def build_variant(session: Session, model: Any, system: str = "") -> Variant:
    """Build the variant for a request's `model`, with the preset's decoding parameters as the default.

    Args:
        session: the session.
        model: a lane spec.
        system: the system message of the conversation; "" for none.

    Raises:
        ApiError: there is no such lane (404), the spec has an invalid option, its adapter cannot be used, or
            the lane does not support system messages.
    """
    if not isinstance(model, str) or not model.strip():
        raise ApiError(
            400, "The request needs a model: set it to a lane spec such as 'urial'.", param="model"
        )
    preset = session.library.preset
    # As in the command `chat`, a preset's stop sequences are not used.
    sampling = dataclasses.replace(preset.sampling, stop=()) if preset else Sampling()
    try:
        spec = _with_system(check_characters(model, "model"), system)
        variant = session.variant(spec, sampling)
    except UnknownLaneError as error:
        raise ApiError(404, str(error), code="model_not_found", param="model") from None
    except InputError as error:
        raise ApiError(400, str(error), param="model") from None
    if reason := session.status().adapter_error(variant.aligner.adapter):
        raise ApiError(400, reason, param="model")
    return dataclasses.replace(variant, name=model.strip())


def _with_system(model: str, system: str) -> str:
    """Add the system message to a lane spec as its option `system`.

    The spec's grammar then rejects a lane that has a system message already.

    Raises:
        InputError: the lane has no chat format, or already has a system message.
    """
    if not system:
        return model
    name, options = parse_spec(model)
    if not find_class(name).lane.chat_format:
        raise InputError(
            f"The lane {name!r} does not support system messages: remove the system message, or use a lane "
            "with a chat format."
        )
    if "system" in options:
        raise InputError("Both the model and messages[0] set the system message: remove one of them.")
    return format_spec(model, {"system": Quoted(system)})
