from __future__ import annotations

import re
from pathlib import Path

from playground import ui
from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.ui.controls.events import GATHERED

MOST_INPUTS = 15
MOST_DEPENDENCIES = 230


def test_events_stay_cheap_for_the_browser(tmp_path: Path) -> None:
    """Gradio's frontend updates all inputs of events ten times per second while answers are written."""
    engine = ScriptedEngine(lambda request: ["one "])
    session = Session(engine, Library.open("models/pocket"), Store(tmp_path))
    blocks = ui.build(session, Settings(data_dir=tmp_path))
    session.close()
    events = [fn for fn in blocks.fns.values() if fn.fn]
    assert max(len(fn.inputs) for fn in events) <= MOST_INPUTS
    assert len(blocks.fns) <= MOST_DEPENDENCIES
    gathering = [fn for fn in events if any(part.elem_id == GATHERED for part in fn.inputs)]
    assert len(gathering) > 20
    numbers: list[str] = []
    for fn in gathering:
        assert fn.trigger_after is not None
        before = blocks.fns[fn.trigger_after]
        assert before.fn is None
        assert len(before.inputs) > 100
        # Other events may be triggered before this one is sent: it must send its own values.
        (number,) = re.findall(r"\[(\d+)\] =", str(before.js))
        assert f"[{number}]]" in str(fn.js)
        numbers.append(number)
    assert len(set(numbers)) == len(gathering)
