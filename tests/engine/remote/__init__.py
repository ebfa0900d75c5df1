"""Tests for the remote engine, on a server of their own and without a model."""
