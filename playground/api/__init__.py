"""The lanes as an OpenAI-compatible server: `/v1/models`, `/v1/completions` and `/v1/chat/completions`.

A surface like the page and the command line: it calls the session and never the engine. It is served by the
page's own server, which checks host names and origins first (`ui.server.api_mount`).
"""
