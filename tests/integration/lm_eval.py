"""lm-evaluation-harness, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.prefix) / "lm-eval" / "bin" / "lm_eval"
HOW = "install it with: make lm-eval"


def run(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run `lm_eval` offline in a folder, and return its samples: what it sent, and what came, by document.

    Args:
        folder: where it runs, and keeps its caches.
        arguments: its arguments, which ask for samples in the folder "results".
    """
    environment = {
        **os.environ,
        "HF_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    result = subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    (samples,) = (folder / "results").rglob("samples_*.jsonl")
    lines = samples.read_text(encoding="utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda sample: int(sample["doc_id"]))
