"""HTML for the View menu: how the page is displayed in this browser.

The menu is static. `view.js` opens it, stores the choices in the browser, and sets them as `data-*`
attributes on the `html` element and on the page's outermost column, where the style sheets select them.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.ui.html.text import escape, escape_attribute


@dataclass(frozen=True, kw_only=True)
class ViewChoice:
    """A choice in the View menu."""

    name: str
    """Name of the `data-*` attribute, and of the choice in the browser's storage."""
    label: str
    """Label shown above the options."""
    options: tuple[tuple[str, str], ...]
    """The options as (value, label) pairs; the first one is the default."""
    help: str = ""
    """One sentence shown below the options."""


CHOICES = (
    ViewChoice(name="theme", label="Theme", options=(("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))),
    ViewChoice(
        name="density", label="Density", options=(("comfortable", "Comfortable"), ("compact", "Compact"))
    ),
    ViewChoice(
        name="formulas",
        label="Formulas",
        options=(("typeset", "Typeset"), ("text", "As text")),
        help="As text: TeX is shown as the model wrote it.",
    ),
    ViewChoice(
        name="align",
        label="Align turns",
        options=(("on", "On"), ("off", "Off")),
        help="On: answers to the same message start at the same height and scroll together.",
    ),
    ViewChoice(
        name="four",
        label="Four lanes",
        options=(("auto", "By width"), ("row", "In a row"), ("square", "Two by two")),
    ),
)
"""The choices, in the order in which the menu shows them."""


def render_view_menu() -> str:
    """Render the menu. It is hidden until `view.js` opens it."""
    choices = "".join(_render_choice(choice) for choice in CHOICES)
    return f'<div id="view-menu" role="dialog" aria-label="View" tabindex="-1" hidden>{choices}</div>'


def _render_choice(choice: ViewChoice) -> str:
    options = "".join(
        f'<label><input type="radio" name="view-{choice.name}" value="{escape_attribute(value)}"'
        f"{' checked' if number == 0 else ''}><span>{escape(label)}</span></label>"
        for number, (value, label) in enumerate(choice.options)
    )
    help = f"<p>{escape(choice.help)}</p>" if choice.help else ""
    return (
        f'<fieldset data-choice="{choice.name}"><legend>{escape(choice.label)}</legend>'
        f'<div class="options">{options}</div>{help}</fieldset>'
    )
