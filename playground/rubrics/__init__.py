"""Rubrics: what judges have to give and the prompts that ask for it, in TOML, FastChat's JSONL or as a rule.

`candidates` says what a judge sees of a lane, `rubric` and `fastchat` make the prompts, and `files` reads
rubrics. `forms` has the forms of a verdict in a text, and `known_answer` the rule that needs no model.
"""
