"""Folders that tests read."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
POCKET = ROOT / "models" / "pocket"
# Files of other projects, which stand beside a checkout where they may be had.
PUBLISHED = ROOT.parent / "shared" / "reference" / "data" / "urial"
