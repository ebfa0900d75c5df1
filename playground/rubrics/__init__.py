"""Rubrics: what judges must return and the prompts for it, in TOML, in FastChat's JSONL or as a rule.

`candidates` builds what a judge sees of a lane, `rubric` and `fastchat` build the prompts, and `files` loads
rubrics. `forms` defines the forms of a verdict in a text, and `known_answer` the rule that needs no model.
"""
