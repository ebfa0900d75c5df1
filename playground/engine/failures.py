"""One-sentence explanations of local engine failures, shown in a lane or in the page's status line."""

from __future__ import annotations

import traceback

import torch

from playground.types import InputError


def explain_failure(error: Exception) -> str:
    """Explain in one sentence why an answer failed; print the traceback of an unexpected error."""
    if isinstance(error, torch.OutOfMemoryError):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return (
            "The device ran out of memory: use fewer demonstrations, fewer lanes or a lower limit on "
            "new tokens."
        )
    traceback.print_exception(error)
    return f"The model failed while generating this answer: {_one_line(error)}."


def explain_loading_failure(error: Exception, base: str) -> str:
    """Explain in one sentence why a base model could not be loaded.

    Args:
        error: the exception; its traceback is printed if it is unexpected.
        base: the folder or Hub ID of the base model.
    """
    if isinstance(error, InputError):
        return str(error)
    if _is_out_of_memory(error):
        return (
            f"The model {base} does not fit in memory: choose a smaller one, or load it in 4-bit precision "
            "(--quantize 4bit)."
        )
    traceback.print_exception(error)
    return f"The model {base} could not be loaded: {_one_line(error)}."


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether an error means that GPU or CPU memory ran out.

    If CPU memory runs out, PyTorch raises a plain RuntimeError, which is recognised by its message.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:300]
