"""Rubrics: what judges must return and the prompts that ask for it, in TOML, FastChat's JSONL or as a rule.

`candidates` builds the view of a lane that a judge sees, `rubric` and `fastchat` build the prompts, and
`files` loads rubrics. `forms` defines how verdicts are written in text, and `known_answer` is a rule that
needs no model.
"""
