"""Judgments: models, a rule or people compare or score answers without knowing which variants wrote them.

`request` describes what is judged by which models and rubric, and `plan` lists the calls that this takes.
`candidates` and `rubrics` (`fastchat` for FastChat's) build the prompts, `client` sends them, and `parse`
reads the replies. `calls` turns a reply into a judge call, `verdicts` turns calls into a verdict, and `panel`
combines the verdicts of several judges. `run` is a running judgment; `service` starts and records judgments.
`reference` judges by a rule without a model; `votes` holds people's votes.
"""
