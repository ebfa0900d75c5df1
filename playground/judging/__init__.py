"""Blind judging: models, a fixed rule or people compare or score answers without seeing variant names.

`request` specifies the answers, the judge models and the rubric; `plan` lists the required judge calls.
`playground.rubrics` builds the prompts, `client` sends them, and `parse` parses the replies. `calls` turns a
reply into a judge call, `verdicts` combines calls into a verdict, and `panel` combines the verdicts of
several judges. `run` executes a judgment in its own thread; `service` starts and records judgments.
`reference` judges by a fixed rule without a model; `votes` converts people's votes to verdicts.
"""
