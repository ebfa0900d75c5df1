"""The letters that people know lanes by: A is the first."""

LETTERS = "ABCD"
"""Of the lanes that a page can have."""


def lane_letter(lane: int) -> str:
    """The letter of a lane, which is counted from 0; after Z, as of recorded conversations with very many
    lanes, AA, AB and so on."""
    before, at = divmod(lane, 26)
    return (lane_letter(before - 1) if before else "") + chr(ord("A") + at)
