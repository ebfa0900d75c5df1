"""Exit statuses: 2 for invalid input, 1 for other failures, 130 for Ctrl-C.

Each error is reported as one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from playground.terminal import print_error
from playground.types import HALF_CHARACTER, InputError, OutsideError

FAILURE = 1
BAD_INPUT = 2
STOPPED = 130


def fail(message: str, status: int) -> NoReturn:
    """Print one sentence to standard error and exit with `status`."""
    print_error(message)
    raise typer.Exit(status)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Context manager that reports user-facing errors as one sentence on standard error and exits with the
    matching status.
    """
    try:
        yield
    except InputError as error:
        fail(str(error), BAD_INPUT)
    except OutsideError as error:
        fail(str(error), FAILURE)
    except UnicodeEncodeError as error:
        half = HALF_CHARACTER.match(error.object, error.start)
        if half is None:
            raise
        fail(
            f"A text or file name contains {half[0]!r}, an unpaired surrogate (half a character): remove it.",
            BAD_INPUT,
        )
    except KeyboardInterrupt:
        fail("Stopped.", STOPPED)
