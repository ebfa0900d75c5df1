"""Determine which version of Tandem is running."""

from __future__ import annotations

import importlib.metadata

from playground.files import read_toml
from playground.library.sources import ROOT


def find_version() -> str:
    """Return the version of the installed package or, in a clone of the repository, of its pyproject.toml."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return str(read_toml(project)["project"]["version"])
    return importlib.metadata.version("tandem-playground")
