"""Check a page's accessibility with axe-core."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = {"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]}
AT_REST = "() => document.getAnimations().every((one) => one.effect.getComputedTiming().endTime === Infinity)"
"""Nothing fades in or out any more; what waits for an answer pulses without an end."""


def faultless(page: Page, where: str, part: str | None = None) -> None:
    """No rule of WCAG 2 A and AA that axe-core knows is broken, in the page or in what `part` selects.

    A button that has just been enabled fades in, and is too pale on the way.
    """
    page.wait_for_function(AT_REST)
    found = Axe().run(page, context=part, options=RULES).response["violations"]
    broken = [
        f"{rule['id']} {node['target']}: {node['html'][:160]} - {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
    assert not broken, f"{where}:\n" + "\n".join(broken)
