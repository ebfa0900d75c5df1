"""Tests of where the frame of the page is inserted, on the document that Gradio renders."""

from __future__ import annotations

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground.ui.server.first_paint import APPLY, STILL, WITHOUT_WAITING, FirstPaint

FRAME = '<div id="frame">Loading</div>'


@pytest.fixture(scope="module")
def page() -> FastAPI:
    with gr.Blocks() as blocks:
        gr.Markdown("</head> and <gradio-app are only text")
    app = FastAPI()
    gr.mount_gradio_app(app, blocks, path="/")
    return app


def test_the_frame_comes_first_and_nothing_else_changes(page: FastAPI) -> None:
    plain = TestClient(page).get("/").text
    response = TestClient(FirstPaint(page, lambda: FRAME)).get("/")
    framed = response.text
    assert int(response.headers["content-length"]) == len(response.content)
    places = [
        framed.index(each)
        for each in ('rel="stylesheet"', "</head>", FRAME, "window.gradio_config", "<gradio-app\n")
    ]
    assert places == sorted(places)
    waiting = f'rel="stylesheet"{WITHOUT_WAITING.decode()}'
    assert framed.count(waiting) == 1
    added = framed.replace(FRAME, "").replace(APPLY.decode(), "").replace(STILL.decode(), "")
    assert sorted(added.replace(waiting, 'rel="stylesheet"')) == sorted(plain)
    assert framed.count("window.gradio_config = ") == 1


@pytest.mark.parametrize(
    ("document", "framed"),
    [
        ("<p>Gone</p>", "<p>Gone</p>"),
        (
            "<head></head><gradio-app></gradio-app>",
            f"<head></head>{FRAME}{APPLY.decode()}{STILL.decode()}<gradio-app></gradio-app>",
        ),
    ],
)
def test_other_documents_lose_nothing(document: str, framed: str) -> None:
    inner = Starlette(routes=[Route("/", lambda request: HTMLResponse(document))])
    assert TestClient(FirstPaint(inner, lambda: FRAME)).get("/").text == framed
