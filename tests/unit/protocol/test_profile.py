from dataclasses import replace

import pytest

from assay.protocol.profile import NAMED, ProfileError

MICRO = NAMED["micro"]


@pytest.mark.parametrize("name", NAMED)
def test_validate__named__passes(name):
    assert NAMED[name].validate() is NAMED[name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("M", 3), ("M", 0), ("N", 96), ("N", 16), ("K", 0), ("K", 65), ("K", 65_600), ("K", -64), ("T", 0),
        ("chunk", 16), ("chunk", 48), ("chunk", 512), ("k", 0), ("W", 9), ("W", -1), ("id", 2**32),
        ("stake", 2**128), ("M", 2.0),
    ],
)  # fmt: skip
def test_validate__off_the_rules__names_field_and_value(field, value):
    with pytest.raises(ProfileError, match=f"(?=.*{value})"):
        replace(MICRO, **{field: value}).validate()


@pytest.mark.parametrize("field", ["id", "M", "N", "K", "T", "chunk", "k", "W"])
def test_job_hash__any_size_changed__differs(field):
    seed = b"\x05" * 32
    assert MICRO.job_hash(seed) != replace(MICRO, **{field: getattr(MICRO, field) * 2}).job_hash(seed)


def test_score__slow_and_fast__floor_and_cap():
    assert MICRO.operations == 2 * 256 * 256 * 4096 * 8
    assert MICRO.score_gops(1_000_000) == MICRO.operations // 10**9
    assert MICRO.score_gops(1) == MICRO.max_gops
    with pytest.raises(ValueError, match="positive"):
        MICRO.score_gops(0)
