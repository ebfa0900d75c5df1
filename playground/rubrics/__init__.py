"""Rubrics, which define judge prompts and the kind of verdict: TOML, FastChat's JSONL, or a fixed rule.

`candidates` builds the anonymous view of a lane shown to judges, `rubric` and `fastchat` build the prompts,
and `files` loads rubrics. `forms` defines the text formats of verdicts, and `known_answer` is a rule that
needs no model.
"""
