"""Ages of the backlog's categories, as portal.yaml writes them (playbook B2)."""

from __future__ import annotations

import re

_AGES = re.compile(r"(?:up to (?P<most>\d+)|over (?P<least>\d+)|(?P<low>\d+)\s*(?:to|-|–)\s*(?P<high>\d+)) days?")


def parse_ages(text: str | None) -> tuple[float, float]:
    """An age range in days, from and below: "up to 14 days", "15 to 365 days", "over 365 days"; None is any age.

    Raises ValueError for anything else.
    """
    if not text:
        return 0.0, float("inf")
    match = _AGES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not an age; write "up to 14 days", "15 to 365 days" or "over 365 days"')
    if match["most"]:
        return 0.0, float(match["most"]) + 1
    if match["least"]:
        return float(match["least"]) + 1, float("inf")
    return float(match["low"]), float(match["high"]) + 1
