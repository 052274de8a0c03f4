from dataclasses import replace
from pathlib import Path

import pytest
import yaml

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


DEPLOYED = [
    (path.stem, row)
    for path in sorted((Path(__file__).parents[3] / "deployments").glob("*.yml"))
    for row in yaml.safe_load(path.read_text())["profiles"]
]


@pytest.mark.parametrize(("network", "row"), DEPLOYED, ids=[f"{n}-{r['name']}" for n, r in DEPLOYED])
def test_named__deployed_under_that_name__same_work_and_class(network, row):
    named = NAMED[row["name"]]
    for field in ("M", "N", "K", "T", "chunk", "k", "W"):
        assert getattr(named, field) == row[field], field
    assert named.max_gops == row["maxGops"]
    if network == "local":
        # Its epochs are short: the work and the probe after it have less time.
        assert named.deadline_ms >= row["deadlineMs"]
        # What work is worth, and what backs it, is each network's own economy; `tests/unit/economics` bounds it.
        assert (named.credit, named.stake) == (row["credit"], int(float(row["stake"])))
    else:
        assert named.deadline_ms == row["deadlineMs"]


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
