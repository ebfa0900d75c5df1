"""Rubrics define judge prompts and the verdicts they request: TOML, FastChat's JSONL, or a fixed rule.

`candidates` builds the anonymous view of a lane shown to judges, `rubric` and `fastchat` build the prompts,
and `files` loads rubrics. `forms` defines the text formats of verdicts, and `known_answer` is a rule that
needs no model.
"""
