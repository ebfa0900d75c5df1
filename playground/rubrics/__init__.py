"""Rubrics, which define judge prompts and the kind of verdict.

A rubric is read from a TOML file or a FastChat JSONL file, or is a fixed rule.

`candidates` builds the anonymous view of a lane that is shown to judges, `rubric` and `fastchat` build the
prompts, and `files` loads rubrics. `forms` defines the text formats of verdicts, and `known_answer` defines
the fixed rule, which needs no model.
"""
