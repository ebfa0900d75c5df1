"""Tests for demonstration set drafts: editing operations, immutability and derived set names."""

import pytest

from playground.demonstrations.draft import Draft, align_sets
from playground.types import Demo, DemoSet, Exchange, InputError

DEMOS = DemoSet(
    name="three",
    instruction="Do.",
    demos=tuple(Demo(query=f"q{n}", answer=f"a{n}") for n in range(3)),
)


def queries(draft: Draft) -> list[str]:
    return [demo.query for demo in draft.demos.demos]


def test_an_unchanged_draft_is_the_set_itself() -> None:
    draft = Draft.of(DEMOS)
    assert draft.demos is DEMOS
    assert not draft.edited
    back = draft.toggle(1).toggle(1).move(0, 2).move(2, -2).with_instruction("Other.").with_instruction("Do.")
    assert back.demos is DEMOS


def test_cards_are_switched_off_moved_changed_added_and_removed() -> None:
    draft = Draft.of(DEMOS)
    assert queries(draft.toggle(0)) == ["q1", "q2"]
    assert queries(draft.move(2, -1)) == ["q0", "q2", "q1"]
    assert queries(draft.move(0, -5)) == ["q0", "q1", "q2"]
    assert queries(draft.move(0, 9)) == ["q1", "q2", "q0"]
    assert queries(draft.remove(1)) == ["q0", "q2"]
    added = draft.replace(3, Demo(query="new", answer=None))
    assert queries(added) == ["q0", "q1", "q2", "new"]
    assert draft.replace(0, Demo(query="q0", answer="better")).demos.demos[0].answer == "better"
    assert queries(draft) == ["q0", "q1", "q2"]


def test_a_changed_set_is_named_by_its_content() -> None:
    one, other = Draft.of(DEMOS).toggle(0), Draft.of(DEMOS).toggle(1)
    assert one.demos.name != other.demos.name
    assert one.demos.name == Draft.of(DEMOS).remove(0).demos.name == one.demos.name
    assert one.demos.name.startswith("three.edited-")
    assert one.demos.content_hash[:8] in one.demos.name


def test_what_cannot_be_is_refused_and_nothing_is_lost() -> None:
    draft = Draft.of(DEMOS)
    with pytest.raises(InputError, match="needs a query"):
        draft.replace(0, Demo(query=" ", answer="a"))
    with pytest.raises(InputError, match="needs a query"):
        draft.replace(0, Demo(query="q", answer="a", then=(Exchange(query="", answer="b"),)))
    with pytest.raises(InputError, match="Demonstration 8 no longer exists"):
        draft.toggle(7)
    whole = Draft.of(DemoSet(name="whole", instruction="", demos=(), text="Prose."))
    with pytest.raises(InputError, match="used verbatim"):
        whole.with_instruction("Other prose.")
    with pytest.raises(InputError, match="used verbatim"):
        whole.replace(0, Demo(query="q", answer="a"))


def test_two_sets_side_by_side() -> None:
    other = DemoSet(
        name="other",
        instruction="",
        demos=tuple(Demo(query=query, answer="x") for query in ("q2", "mine", "q0", "q2")),
    )
    assert align_sets(DEMOS, other) == [(0, 2), (1, None), (2, 0), (None, 1), (None, 3)]
