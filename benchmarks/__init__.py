"""What the README's figures come from; run as `python -m benchmarks.NAME`, from the repository."""

from playground.config import prepare_environment

prepare_environment()
