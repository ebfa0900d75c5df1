"""Judging: models, a fixed rule or people compare or score answers without knowing which variants wrote them.

`request` specifies what to judge and the models and rubric to use, and `plan` lists the calls this requires.
`candidates` and `rubrics` (`fastchat` for FastChat's) build the prompts, `client` sends them, and `parse`
parses the replies. `calls` turns a reply into a judge call, `verdicts` combines calls into a verdict, and
`panel` combines the verdicts of several judges. `run` is a running judgment; `service` starts and records
judgments. `reference` judges by a fixed rule without a model; `votes` records votes by people.
"""
