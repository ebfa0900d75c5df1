"""Lane letters, which identify lanes in the user interface, starting with A."""


def lane_letter(lane: int) -> str:
    """Return the letter for a lane index (from 0).

    Z is followed by AA, AB and so on, for recorded conversations with more than 26 lanes.
    """
    before, at = divmod(lane, 26)
    return (lane_letter(before - 1) if before else "") + chr(ord("A") + at)
