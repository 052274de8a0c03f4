"""Regions as texts whose parts go from wide to narrow: `eu`, `eu-de`, `eu-de-fra`."""

from __future__ import annotations


def parts(region: str) -> list[str]:
    """The parts of a region, lower case; none of an empty one."""
    return [part for part in region.casefold().replace("_", "-").replace("/", "-").split("-") if part]


def lies_in(region: str, around: str) -> bool:
    """Whether a region is the other or lies in it: `eu-de-fra` in `eu-de`."""
    wide = parts(around)
    return bool(wide) and parts(region)[: len(wide)] == wide


def distance(region: str, other: str) -> int:
    """Parts of `other` that a region does not share, from the widest on: 0 lies in it, the most shares nothing."""
    shared = 0
    for one, two in zip(parts(region), parts(other), strict=False):
        if one != two:
            break
        shared += 1
    return len(parts(other)) - shared
