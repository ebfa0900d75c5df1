"""Benchmarks that produce the measurements in the README.

Run `python -m benchmarks.NAME` in the repository.
"""

from playground.config import prepare_environment

prepare_environment()
