"""Declared regions held to the speed of light."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.sheet.places import AREAS, COUNTRIES, LIGHT_KM_PER_MS, Circle, least_km, parts_of, place_of, region_doubt

# North, east: where data centres stand, by a region that somebody there would declare.
CITIES = {
    "eu-de-fra": (50.1, 8.7), "de": (52.5, 13.4), "eu-west-1": (53.3, -6.3), "eu-north": (59.3, 18.1),
    "eu-south": (37.98, 23.7), "eu-es": (28.1, -15.4), "eu-pt": (37.7, -25.7), "eu": (64.1, -21.9),
    "eu-fi": (60.2, 24.9),
    "us": (21.3, -157.9), "us-east-1": (39.0, -77.5), "us-east": (25.8, -80.2), "us-west": (47.6, -122.3),
    "us-west-2": (45.8, -119.7), "us-central1": (41.2, -95.9), "us-south": (29.4, -98.5), "us-ca": (37.4, -122.1),
    "ca": (49.3, -123.1), "ca-east": (45.5, -73.6), "sa-east-1": (-23.5, -46.6), "sa-west": (-33.4, -70.7),
    "ap-southeast-2": (-33.9, 151.2), "ap-southeast": (1.3, 103.8), "ap-northeast-1": (35.7, 139.7),
    "jp": (43.1, 141.3),
    "jp-okinawa": (26.2, 127.7), "ap-south": (19.1, 72.9), "in": (28.6, 77.2), "ap-in": (13.1, 80.3),
    "ap-east": (22.3, 114.2), "asia-sg": (1.35, 103.8), "kr": (37.6, 127.0), "tw": (25.0, 121.5), "oc": (-36.8, 174.8),
    "me-ae": (25.2, 55.3), "me-il": (32.1, 34.8), "af-south": (-33.9, 18.4), "mx": (20.7, -103.3), "no": (69.6, 18.9),
}  # fmt: skip


@pytest.mark.parametrize("region", CITIES)
def test_place__of_a_region__holds_the_data_centres_that_declare_it(region: str) -> None:
    place = place_of(region)
    assert place is not None
    assert least_km(place, Circle(*CITIES[region], 0)) == 0


@given(st.sampled_from(sorted(CITIES)), st.sampled_from(sorted(CITIES)))
def test_doubt__of_an_honest_region_as_quick_as_light_itself__there_is_none(one: str, other: str) -> None:
    apart = least_km(Circle(*CITIES[one], 0), Circle(*CITIES[other], 0))
    assert region_doubt(one, other, 2 * apart / LIGHT_KM_PER_MS * 1.000001 + 1e-9) == ""


@pytest.mark.parametrize(
    "region, here, ms, doubted",
    [
        ("us-west", "eu-de", 3.0, True),
        ("us-west", "eu-de", 150.0, False),
        ("eu-de", "us-east", 20.0, True),
        ("ap-southeast", "eu-nl", 5.0, True),
        ("eu-fr", "eu-de", 0.5, False),  # the countries touch
        ("eu-fi", "eu-es", 5.0, True),
        ("us-west", "us-east", 0.0, False),  # drawn so wide that they touch
        ("us-west", "eu-de", None, False),  # nothing answered
        ("", "eu-de", 0.1, False),
        ("atlantis", "eu-de", 0.1, False),
        ("us-west", "", 0.1, False),
    ],
)
def test_doubt__by_region_place_and_round_trip__only_where_light_is_too_slow(
    region: str, here: str, ms: float | None, doubted: bool
) -> None:
    assert bool(region_doubt(region, here, ms)) is doubted


def test_place__of_a_code_that_two_countries_have__is_not_guessed() -> None:
    assert place_of("us-de") == AREAS["us"] != COUNTRIES["de"]  # Delaware
    assert place_of("ca-sk") == AREAS["ca"]  # Saskatchewan
    assert [place_of(one) for one in ("me", "sa", "af", "ap", "", "-", "1", "x" * 99)] == [None] * 8
    assert parts_of("EU_de/Fra") == ["eu", "de", "fra"]


def test_least__of_places_at_the_two_ends_of_the_earth__is_half_of_its_girth() -> None:
    assert isclose(least_km(Circle(0, 0, 0), Circle(0, 180, 0)), 20_015, rel_tol=1e-3)
    assert least_km(Circle(10, 20, 1), Circle(10, 20, 0)) == 0
