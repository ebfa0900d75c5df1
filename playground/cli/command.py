"""Register functions as Typer commands that support option groups, text validation and exit statuses."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import typer
import typer.core

from playground.cli.exits import exit_on_error
from playground.types import check_characters


class Command(typer.core.TyperCommand):
    """Typer command that validates its text arguments before it runs."""

    def invoke(self, ctx: Any) -> Any:
        """Check the text arguments for lone surrogates, then run the command.

        Paths are not checked, because file names can contain lone surrogates.
        """
        with exit_on_error():
            for parameter in self.params:
                value = ctx.params.get(parameter.name or "")
                is_option = isinstance(parameter, typer.core.TyperOption)
                name = parameter.opts[0] if is_option else (parameter.name or "").upper()
                for text in value if isinstance(value, list | tuple) else [value]:
                    if isinstance(text, str):
                        check_characters(text, name)
        return super().invoke(ctx)


def add_command(app: typer.Typer, function: Callable[..., None]) -> None:
    """Add `function` to `app` as a command of the same name.

    A parameter whose type is a dataclass defines a group of options, one per field. Fields are declared like
    parameters, including their defaults. Expected errors are printed as one sentence and set the exit status.
    """
    app.command(cls=Command)(_expand_groups(function))


def _expand_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap `function` so that the fields of its option groups can be passed as separate keyword arguments."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            parameters += _list_parameters(kind)
        else:
            parameters.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def run(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
        with exit_on_error():
            function(**values)

    # Typer reads the options from these two attributes.
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _list_parameters(group: type[Any]) -> list[inspect.Parameter]:
    """Return the keyword parameters that stand for an option group, one for each field."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
