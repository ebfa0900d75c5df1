"""`judge`: judge the answers in a recorded conversation."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli import judge_report
from playground.cli.exits import FAILURE, fail
from playground.cli.judge_requests import RequestOptions, judge_all, read_requests, warn_of_families
from playground.cli.options import Json, JudgeOptions
from playground.cli.output import print_json
from playground.judging.cost import Estimate
from playground.servers.address import clean
from playground.start import open_judging
from playground.terminal import print_error, print_text


def judge(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="ID of a recorded conversation, as shown by `history`.")
    ],
    *,
    rubric: Annotated[
        str | None, typer.Option(help="Name of the rubric: single, pairwise, aspects...")
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            help='MODEL, MODEL@http://SERVER, or "reference" for probes with a known answer. Repeat for up '
            "to five judges to also get a majority verdict and inter-judge agreement.",
        ),
    ] = None,
    turns: Annotated[str | None, typer.Option(help="Turns to judge, for example 1,2. Default: all.")] = None,
    lanes: Annotated[
        str | None, typer.Option(help="Lanes to judge, for example A,C or 1,3. Default: all.")
    ] = None,
    scope: Annotated[
        str,
        typer.Option(help="What to judge: turn, or conversation for the whole conversation up to each turn."),
    ] = "turn",
    samples: Annotated[int, typer.Option(help="Number of samples per question.")] = 1,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only print the cost estimate.")] = False,
    json_output: Json = False,
    server: JudgeOptions,
) -> None:
    """Judge the answers in a conversation. The API key is read from OPENAI_API_KEY or TANDEM_JUDGE_KEY."""
    settings = server.read_settings()
    options = RequestOptions(
        judges=tuple(named or (settings.judge_model or "",)),
        rubric=rubric,
        turns=turns,
        lanes=lanes,
        scope=scope,
        samples=samples,
    )
    session = open_judging(settings)
    try:
        requests = read_requests(session, session.load(id), options)
        cost = Estimate.total(session.estimate(request) for request in requests)
        for warning in warn_of_families(session, requests):
            print_error(warning)
        if estimate:
            document = judge_report.estimate_json(cost)
            if json_output:
                print_json(document, ensure_ascii=True)
            else:
                print_text(judge_report.estimate_text(document))
            return
        judged = judge_all(session, requests)
        conversation = session.load(id)
    finally:
        session.close()
    if json_output:
        print_json(judge_report.verdicts_json(conversation, judged))
    else:
        print_text(judge_report.verdicts_text(conversation, judged, clean(settings.judge_url)))
    errors = [verdict.error for _, verdict in judged if verdict.error]
    if errors:
        fail(errors[0], FAILURE)
