"""Where regions lie, as far as physics needs to know: a declared region against a measured round trip.

A region is a circle that holds all of it, and where in doubt more. Nothing answers from farther away than light goes in
half of the round trip, so that what answers too soon is not where it says. What answers late may be anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import acos, cos, pi, radians, sin

EARTH_KM = 6_371.0
LIGHT_KM_PER_MS = 299.792458  # in a vacuum: in glass it is two thirds of that


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the globe: degrees north and east of its middle, and kilometres from there to its edge."""

    north: float
    east: float
    km: float


# Parts of the world by the first part of a region, or its first two. `me`, `sa` and `af` alone are countries, too.
AREAS = {
    "eu": Circle(50, 12, 4_300), "eu-north": Circle(61, 12, 2_200), "eu-south": Circle(40, 10, 3_000),
    "eu-west": Circle(48, 0, 2_600), "eu-central": Circle(49.5, 13, 1_500), "eu-east": Circle(50, 28, 2_200),
    "us": Circle(45, -105, 6_500), "us-east": Circle(37, -79, 1_900), "us-west": Circle(40, -117, 1_800),
    "us-central": Circle(39, -96, 1_900), "us-south": Circle(33, -94, 2_200),
    "ca": Circle(57, -95, 3_600), "ca-east": Circle(47, -70, 1_800), "ca-west": Circle(53, -119, 1_900),
    "sa-east": Circle(-15, -45, 2_600), "sa-west": Circle(-15, -72, 4_600),
    "af-south": Circle(-28, 25, 2_200), "af-north": Circle(27, 12, 3_600),
    "ap-south": Circle(20, 80, 2_300), "ap-east": Circle(25, 115, 2_800),
    "ap-northeast": Circle(37, 132, 2_600), "ap-southeast": Circle(-12, 125, 5_600),
    "oc": Circle(-25, 150, 5_500),
}  # fmt: skip
# Countries by their codes in ISO 3166, alone or as the second part: `us-de` is Delaware.
COUNTRIES = {
    "at": Circle(47.6, 14.1, 500), "be": Circle(50.6, 4.7, 300), "bg": Circle(42.8, 25.2, 450),
    "ch": Circle(46.8, 8.2, 300), "cz": Circle(49.8, 15.5, 400), "de": Circle(51.2, 10.4, 650),
    "dk": Circle(56, 10.5, 450), "ee": Circle(58.7, 25.5, 350), "es": Circle(37, -7, 1_500),
    "fi": Circle(64.5, 26.3, 850), "fr": Circle(46.4, 2.6, 850), "gb": Circle(54.5, -2.5, 850),
    "gr": Circle(38.6, 23.8, 700), "hr": Circle(44.7, 16.4, 450), "hu": Circle(47.2, 19.4, 400),
    "ie": Circle(53.2, -8, 400), "is": Circle(65, -18.6, 450), "it": Circle(42.2, 12.5, 900),
    "lt": Circle(55.3, 23.9, 350), "lu": Circle(49.8, 6.1, 150), "lv": Circle(56.9, 24.9, 400),
    "nl": Circle(52.2, 5.4, 350), "no": Circle(65, 14, 1_300), "pl": Circle(52, 19.4, 600),
    "pt": Circle(38.5, -17, 1_500), "ro": Circle(45.9, 25, 550), "rs": Circle(44.2, 20.8, 400),
    "se": Circle(62.8, 16.7, 1_000), "si": Circle(46.1, 14.8, 250), "sk": Circle(48.7, 19.6, 350),
    "tr": Circle(39, 35.4, 1_100), "ua": Circle(48.8, 31.4, 900), "uk": Circle(54.5, -2.5, 850),
    "ae": Circle(24, 54.3, 450), "il": Circle(31.4, 35, 400), "qa": Circle(25.3, 51.2, 200),
    "hk": Circle(22.35, 114.15, 120), "in": Circle(19, 82, 2_300), "jp": Circle(35, 136, 2_300),
    "kr": Circle(36.2, 127.9, 550), "my": Circle(3.9, 109.5, 1_300), "sg": Circle(1.35, 103.82, 120),
    "tw": Circle(23.7, 120.5, 400), "th": Circle(13.5, 101, 1_200), "vn": Circle(15.5, 107, 1_300),
    "mx": Circle(23.5, -102.5, 2_300),
}  # fmt: skip
HAVE_COUNTRIES = frozenset({"eu", "ap", "me"})
WIDE = {"europe": "eu", "southamerica": "sa", "africa": "af", "australia": "oc", "asia": "ap"}


def parts_of(region: str) -> list[str]:
    """The parts of a region, lower case; none of an empty one."""
    return [part for part in re.split(r"[-_/]", region.casefold()) if part]


def place_of(region: str) -> Circle | None:
    """Where `eu-de-fra`, `de`, `us-east-1` or `europe-west4` lies; None for what is no place that is known."""
    parts = [name for part in parts_of(region) if (name := part.rstrip("0123456789"))]
    if not parts:
        return None
    first, second = WIDE.get(parts[0], parts[0]), parts[1] if len(parts) > 1 else ""
    country = COUNTRIES.get(second) if first in HAVE_COUNTRIES else COUNTRIES.get(first)
    return AREAS.get(f"{first}-{second}") or country or AREAS.get(first)


def least_km(one: Circle, other: Circle) -> float:
    """How far apart the nearest points of two places are at least, along the ground."""
    a, b, turn = radians(one.north), radians(other.north), radians(one.east - other.east)
    angle = acos(max(-1.0, min(1.0, sin(a) * sin(b) + cos(a) * cos(b) * cos(turn))))
    return max(0.0, min(angle, pi) * EARTH_KM - one.km - other.km)


def region_doubt(region: str, here: str, round_trip_ms: float | None) -> str:
    """Why what answers here within so many milliseconds is not in the region that it declares; empty where it may be,
    and where nobody knows."""
    declared, place = place_of(region), place_of(here)
    if declared is None or place is None or round_trip_ms is None:
        return ""
    least = least_km(declared, place)
    if round_trip_ms / 2 * LIGHT_KM_PER_MS >= least:
        return ""
    needed = 2 * least / LIGHT_KM_PER_MS
    return (
        f"answers in {round_trip_ms:.1f} ms, and light takes {needed:.0f} ms to {region} and back "
        f"({least:,.0f} km from {here} at least)"
    )
