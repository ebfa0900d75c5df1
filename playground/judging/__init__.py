"""Judgments: models, a rule or people compare or score answers without knowing which variants wrote them.

`request` says what is judged by which models and rubric, and `plan` which calls that takes. `candidates` and
`rubrics` (`fastchat` for FastChat's) make the prompts, `client` sends them, and `parse` reads the replies.
`calls`, `verdicts` and `panel` go from a reply to a recorded call, to a verdict, and to a panel's majority.
`run` is a running judgment, `service` starts and records judgments. `reference` judges by a rule, without a
model; `votes` are people's.
"""
