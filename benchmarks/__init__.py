"""Benchmarks that produce the measurements in the README.

Run them with `python -m benchmarks.NAME` from the repository root.
"""

from playground.config import prepare_environment

prepare_environment()
