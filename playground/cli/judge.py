"""`judge`: judge the answers of a recorded conversation."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli.exits import FAILURE, fail
from playground.cli.options import Json, JudgeOptions
from playground.cli.output import print_json
from playground.judging import report
from playground.judging.service import Judges
from playground.store import Store
from playground.terminal import print_error, print_text


def judge(
    id: Annotated[str, typer.Argument(help="A recorded conversation, as `history` lists it.")],
    *,
    rubric: Annotated[str | None, typer.Option(help="What is asked: single, pairwise, aspects...")] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            help='Model, MODEL@http://SERVER, or "reference" for probes with a known answer; up to five '
            "times, for their majority and agreement too.",
        ),
    ] = None,
    turns: Annotated[str | None, typer.Option(help="Which turns, such as 1,2; by default all.")] = None,
    lanes: Annotated[str | None, typer.Option(help="Which lanes, such as 1,3; by default all.")] = None,
    scope: Annotated[str, typer.Option(help="turn, or conversation for all up to each turn.")] = "turn",
    samples: Annotated[int, typer.Option(help="How often each question is asked.")] = 1,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only print what it would cost.")] = False,
    json_output: Json = False,
    server: JudgeOptions,
) -> None:
    """Judge the answers of a conversation; the key is OPENAI_API_KEY or TANDEM_JUDGE_KEY."""
    settings = server.read_settings()
    store = Store(settings.data_dir)
    judges = Judges(store, settings)
    try:
        asked = report.questions(judges, named or (), store.load(id), rubric, turns, lanes, scope, samples)
        for warning in report.family_warnings(judges, asked):
            print_error(warning)
        if estimate:
            document = report.estimate_json(asked)
            if json_output:
                print_json(document, ensure_ascii=True)
            else:
                print_text(report.estimate_text(document))
            return
        judged = report.ask(judges, asked)
    finally:
        judges.close()
    if json_output:
        print_json(report.verdicts_json(store.load(id), judged))
    else:
        print_text(report.verdicts_text(store.load(id), judged))
    errors = [verdict.error for _, verdict in judged if verdict.error]
    if errors:
        fail(errors[0], FAILURE)
