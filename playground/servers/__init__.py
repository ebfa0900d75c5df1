"""Servers with an OpenAI-compatible API: their addresses and error messages."""
