"""The true facts of the pocket world, gathered from the modules that hold its tables.

Every document of the corpus and every conversation of the adapters' training sets states facts of
these tables only. They are common knowledge, written down by hand; see `relations.py` for how a
fact is put into words and which facts are held out.

    python models/pocket/recipe/world.py        # counts, and checks across the modules
"""

from __future__ import annotations

import re
from collections import Counter
from types import ModuleType

import figures
import geography
import language
import nature
import things
from relations import FAMOUS, Fact, Relation, article

__all__ = [
    "ASKABLE", "BY_NAME", "FACTS", "FAMOUS", "LISTS", "RELATIONS", "Fact", "Relation", "article", "siblings",
]  # fmt: skip

MODULES: tuple[ModuleType, ...] = (geography, nature, language, figures, things)

RELATIONS: tuple[Relation, ...] = tuple(relation for module in MODULES for relation in module.RELATIONS)
BY_NAME: dict[str, Relation] = {relation.name: relation for relation in RELATIONS}
LISTS: dict[str, list[str]] = {name: members for module in MODULES for name, members in module.LISTS.items()}
FACTS: tuple[Fact, ...] = tuple(
    Fact(relation, entity) for relation in RELATIONS for entity in relation.values
)
ASKABLE: tuple[Fact, ...] = tuple(fact for fact in FACTS if not fact.held_out)

_TOPICS: dict[str, list[Relation]] = {}
for _relation in RELATIONS:
    _TOPICS.setdefault(_relation.topic, []).append(_relation)


def siblings(fact: Fact) -> list[Relation]:
    """Other relations of the same topic that know this entity: what "And its ...?" may ask."""
    return [
        relation
        for relation in _TOPICS[fact.relation.topic]
        if relation is not fact.relation and fact.entity in relation.values
    ]


def problems() -> list[str]:
    """What is wrong with the tables taken together; each line one fault."""
    found = [f"relation {n} occurs twice" for n, k in Counter(r.name for r in RELATIONS).items() if k > 1]
    for module in MODULES:
        found += [f"list {n} has two versions" for n, members in module.LISTS.items() if members != LISTS[n]]
    asked: dict[str, Fact] = {}
    for fact in FACTS:
        for form in range(len(fact.relation.questions)):
            question = fact.question(form)
            other = asked.setdefault(question, fact)
            if other != fact and not set(other.right) & set(fact.right):
                found.append(
                    f"{question!r} is asked by {other.relation.name} ({other.value}) "
                    f"and by {fact.relation.name} ({fact.value})"
                )
        answer = fact.answer()
        if not answer.startswith("The ") or not answer.endswith("."):
            found.append(f"{fact.relation.name}: {answer!r} does not begin with The or end with a full stop")
        if fact.entity not in answer or fact.value not in answer:
            found.append(f"{fact.relation.name}: {answer!r} does not name {fact.entity!r} and {fact.value!r}")
        if not re.fullmatch(r"[ -~]+", f"{fact.entity}{fact.value}"):
            found.append(f"{fact.relation.name}: {fact.entity!r} or {fact.value!r} is not plain ASCII")
        if len(set(fact.right)) < len(fact.right):
            found.append(f"{fact.relation.name}: {fact.entity} has a value twice")
    for relation in RELATIONS:
        if extra := set(relation.also) - set(relation.values):
            found.append(f"{relation.name}: {extra} have further values without a first one")
    for name, members in LISTS.items():
        if len(members) < 4 or len(set(members)) < len(members):
            found.append(f"list {name} is shorter than four or repeats a member")
    return found


# Two of a name would silently drop one; the slower checks are left to `main`.
if len(BY_NAME) < len(RELATIONS) or any(m.LISTS[n] != LISTS[n] for m in MODULES for n in m.LISTS):
    raise ValueError("\n".join(problems()))


def main() -> None:
    for module in (geography, language, nature):
        module.check_tables()
    for relation in RELATIONS:
        held = sum(Fact(relation, entity).held_out for entity in relation.values)
        example = Fact(relation, next(iter(relation.values)))
        print(f"{relation.name:24} {len(relation.values):4} facts, {held:3} held out: {example.answer()}")
    print(f"{'all':24} {len(FACTS):4} facts, {len(FACTS) - len(ASKABLE):3} held out, {len(LISTS)} lists")
    faults = problems()
    print("\n".join(faults) or "no faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
