"""What a validator refuses of a batch that is well-formed on the wire."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf, batch_tree
from assay.protocol.messages import Observations
from assay.protocol.signing import Domain, address_of
from assay.validator.errors import Refused
from assay.validator.peers.admission import MAX_BATCHES_A_SEAT, admit_batch
from assay.validator.rules.values import Seat
from assay.wire.gossip import BatchMessage

DOMAIN = Domain(31337, "0x" + "11" * 20)
KEY, RHO, DEVICE = (keccak(name) for name in (b"key", b"rho", b"device"))
SEAT = Seat(address_of(KEY), address_of(KEY))


def batch(uptime_bps: int, device: bytes = DEVICE) -> BatchMessage:
    leaves = (ObservationLeaf(device, RHO, 5, 1, uptime_bps),)
    signature = Observations(7, 2, RHO, batch_tree(leaves).root).sign(DOMAIN, KEY)
    return BatchMessage(epoch=7, set_id=2, seat=SEAT.account, rho=RHO, leaves=leaves, signature=signature)


def record_of(kept: list[BatchMessage]) -> Any:
    def add_batch(seat: int, message: BatchMessage, _: float) -> None:
        record.by_digest[seat, bytes(message.signature)] = None
        kept.append(message)

    devices = {DEVICE: None}
    context = SimpleNamespace(epoch=7, set_id=2, seats=(SEAT,), domain=DOMAIN, seat_of=lambda _: 0, devices=devices)
    record = SimpleNamespace(context=context, by_digest={}, add_batch=add_batch)
    return record


def test_batch__with_more_uptime_than_there_is__is_refused_though_its_seat_signed_it() -> None:
    kept: list[BatchMessage] = []
    admit_batch(record_of(kept), batch(10_000), RHO, 1.0)
    with pytest.raises(Refused, match="uptime above 10000"):
        admit_batch(record_of(kept), batch(10_001), RHO, 1.0)
    assert kept == [batch(10_000)]


def test_batch__speaks_of_a_device_that_is_not_enrolled__is_refused() -> None:
    with pytest.raises(Refused, match=f"0x{RHO.hex()} is not enrolled"):
        admit_batch(record_of([]), batch(10_000, RHO), RHO, 1.0)


def test_batch__fifth_of_a_seat__is_kept_only_where_a_report_names_it() -> None:
    kept: list[BatchMessage] = []
    record = record_of(kept)
    for uptime in range(MAX_BATCHES_A_SEAT):
        admit_batch(record, batch(uptime), RHO, 1.0)
    with pytest.raises(Refused, match="4 different batches"):
        admit_batch(record, batch(9_000), RHO, 1.0)
    admit_batch(record, batch(9_000), RHO, 1.0, named=True)
    assert len(kept) == MAX_BATCHES_A_SEAT + 1
