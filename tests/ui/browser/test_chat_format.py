"""Browser tests for lanes with a chat format and for collapsed reasoning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.helpers.browsing import QUESTION, App, Person
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.browser

POCKET_IFT = ROOT / "adapters" / "pocket-ift"
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% else %}"
    "{{ '### User\n' if m.role == 'user' else '### Assistant\n' }}{{ m.content + '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if enable_thinking %}thinking on {% endif %}{% if add_generation_prompt %}### Assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with an adapter whose template takes a system message and reads a variable."""
    folder = tmp_path_factory.mktemp("chat")
    shutil.copytree(POCKET_IFT, folder / "open")
    (folder / "open" / "adapter.toml").write_text('label = "Open"\nbase_model = "models/pocket"\n')
    (folder / "open" / "chat_template.jinja").write_text(TEMPLATE)
    (folder / "open" / "additional_chat_templates").mkdir()
    (folder / "open" / "additional_chat_templates" / "bare.jinja").write_text("{{ messages[-1].content }}")
    with App(folder / "data", "--adapter", f"open={folder / 'open'}") as app:
        yield app


def prompt_of(person: Person, lane: int) -> str:
    """The exact text of a lane's next prompt."""
    person.page.click(f"#prompt-{lane}")
    expect(person.page.locator("#inspector-view .prompt")).to_be_visible()
    text = person.page.locator("#inspector-view").inner_text()
    person.page.click("#inspector-close")
    expect(person.page.locator("#inspector-view .prompt")).to_be_hidden()
    return text


def set_up(person: Person, lane: int) -> None:
    person.page.click(f"#setup-{lane}")
    expect(person.page.locator(f"#system-{lane} textarea")).to_be_visible()


def test_a_lane_gets_a_system_message_a_template_and_variables(person: Person, app: App) -> None:
    person.short()
    person.pick(1, "IFT · Open")
    set_up(person, 1)
    person.page.fill("#system-1 textarea", "Be brief, please.")
    variables = person.page.locator("#variables-1").get_by_role("textbox")
    expect(variables).to_be_visible()
    expect(variables).to_have_attribute("placeholder", "Variables: enable_thinking")
    variables.fill("enable_thinking=true")
    variables.blur()
    text = prompt_of(person, 1)
    assert "Be brief, please." in text
    assert "thinking on" in text
    assert "The answer ends at" in text
    person.choose("template-1", "bare")
    variables.fill("")
    variables.blur()
    person.choose("instruction-1", "general-3")
    expect(person.page.locator("#system-1 textarea")).to_be_hidden()
    person.ask(QUESTION)
    expect(person.status(0)).not_to_have_attribute("data-finish", "error")
    expect(person.page.locator("#chat-1 .notice.error")).to_contain_text("ignores the system message")


def test_reasoning_before_an_answer_is_folded(person: Person, app: App) -> None:
    person.short()
    person.page.click("#more")
    person.page.fill("#start textarea", "<think>One two three.</think> Paris")
    person.ask(QUESTION)
    details = person.page.locator("#chat-0 details.thinking")
    expect(details.locator("summary")).to_have_text("Thinking, 3 words")
    expect(details.locator(".prose")).to_be_hidden()
    details.locator("summary").click()
    expect(details.locator(".prose")).to_have_text("One two three.")
    expect(person.page.locator("#chat-0 .bot")).to_contain_text("Paris")
