"""Names that a lease is given over all of its life."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.provider.endpoints.given_names import GivenNames, read_given, write_given
from assay.provider.errors import Conflict, ProviderError

ONE, OTHER = GivenNames(bytes(32)), GivenNames(bytes([1]) * 32)


def test_labels__of_a_lease_that_opens_and_closes_forever__are_the_same_few() -> None:
    seen, used = set[str](), list[str]()
    for turn in range(200):
        used.append(ONE.label(used, 4))
        seen.add(used[-1])
        if len(used) == 4:
            with pytest.raises(Conflict, match="4 names at most"):
                ONE.label(used, 4)
            used.pop(turn % 4)
    assert len(seen) == 4 and OTHER.label([], 4) not in seen


def test_domains__one_after_the_other__are_bounded_for_all_of_the_lease() -> None:
    given = ONE.with_domain("a.b", 2).with_domain("c.d", 2)
    assert given.with_domain("a.b", 2) == given and given.seed == ONE.seed
    with pytest.raises(Conflict, match=r"2 domains of its renter's in all here, and had a\.b, c\.d"):
        given.with_domain("e.f", 2)


def test_given__kept_and_read__is_the_same_and_drawn_anew_without_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    assert read_given(file, lambda size: bytes([7]) * size) == GivenNames(bytes([7]) * 32)
    write_given(file, ONE.with_domain("a.b", 2))
    assert read_given(file, bytes) == ONE.with_domain("a.b", 2)
    for text in ("{", "{}", '{"seed": "xy", "domains": []}', "[]"):
        file.write_text(text)
        with pytest.raises(ProviderError, match="damaged"):
            read_given(file, bytes)
