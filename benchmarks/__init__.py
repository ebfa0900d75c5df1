"""The benchmarks behind the README's measurements, run as `python -m benchmarks.NAME` in the repository."""

from playground.config import prepare_environment

prepare_environment()
