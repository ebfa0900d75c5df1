"""`bench`: benchmark the engine against PEFT and `generate`."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from playground.cli.options import Json
from playground.cli.output import print_json
from playground.library import ROOT
from playground.terminal import print_error, print_text
from playground.types import InputError


def bench(
    json_output: Json = False,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")] = "cpu",
    runs: Annotated[int, typer.Option(min=1, help="Number of runs for the long measurements.")] = 3,
) -> None:
    """Benchmark the engine against PEFT and `generate`.

    This takes several minutes and needs an idle machine.
    """
    # The benchmarks are not part of the package, because they also measure other programs.
    if not (ROOT / "benchmarks" / "engine.py").is_file():
        raise InputError(
            "The benchmarks are not part of the installed package: clone Tandem's repository and run "
            "`python -m playground bench` in it."
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    benchmark = importlib.import_module("benchmarks.engine")
    results = benchmark.run(benchmark.choose_device(device), runs, say=print_error)
    if json_output:
        print_json(results, ensure_ascii=True)
    else:
        print_text(benchmark.table(results))
