"""The display letters of lanes, from A for the first one."""

LETTERS = "ABCD"
"""The letters of the lanes that a page can have."""


def lane_letter(lane: int) -> str:
    """Return the letter of a lane (counted from 0); after Z come AA, AB and so on, for recorded conversations
    with very many lanes."""
    before, at = divmod(lane, 26)
    return (lane_letter(before - 1) if before else "") + chr(ord("A") + at)
