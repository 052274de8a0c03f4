"""What is hashed, signed and served stays the same byte for byte: golden values of every body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.wire import canonical

from .samples import bodies

GOLDEN: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "golden.json").read_text())
BODIES = bodies()


def test_golden_values__of_the_samples__are_complete() -> None:
    assert set(GOLDEN["bodies"]) == set(BODIES)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_body__encoded__has_the_bytes_it_always_had(name: str) -> None:
    golden, body = GOLDEN["bodies"][name], BODIES[name]
    encoded = canonical.encode(body.to_json())
    assert encoded.decode() == golden["text"]
    assert to_hex(canonical.content_hash(body.to_json())) == golden["hash"]


@pytest.mark.parametrize("name", sorted(BODIES))
def test_body__read_from_its_bytes__is_the_same(name: str) -> None:
    body = BODIES[name]
    assert type(body).parse(GOLDEN["bodies"][name]["text"]) == body


@pytest.mark.parametrize("name", sorted(BODIES))
def test_body__with_a_field_too_many_or_one_too_few__is_refused(name: str) -> None:
    kind, value = type(BODIES[name]), json.loads(GOLDEN["bodies"][name]["text"])
    with pytest.raises(ValueError, match="extra"):
        kind.parse(json.dumps({**value, "extra": 1}))
    required = next(n for n in ("signature", "epoch", "deviceId") if n in value)
    with pytest.raises(ValueError, match=required):
        kind.parse(json.dumps({k: v for k, v in value.items() if k != required}))


@pytest.mark.parametrize("case", GOLDEN["canonical"], ids=lambda case: str(case["name"]))
def test_canonical__of_any_json_value__has_the_bytes_it_always_had(case: dict[str, Any]) -> None:
    assert canonical.encode(case["value"]).decode("ascii") == case["text"]
    assert to_hex(canonical.content_hash(case["value"])) == case["hash"]
