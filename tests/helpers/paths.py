"""Paths of folders that tests read."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
POCKET = ROOT / "models" / "pocket"
# Optional files from other projects, next to the repository.
PUBLISHED = ROOT.parent / "shared" / "reference" / "data" / "urial"
