"""What a validator refuses of a batch that is well-formed on the wire."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from assay.protocol.keccak import keccak
from assay.protocol.leaves import ObservationLeaf, batch_tree
from assay.protocol.messages import Observations
from assay.protocol.signing import Domain, address_of
from assay.validator.errors import Refused
from assay.validator.peers.admission import admit_batch
from assay.validator.rules.values import Seat
from assay.wire.gossip import BatchMessage

DOMAIN = Domain(31337, "0x" + "11" * 20)
KEY, RHO, DEVICE = (keccak(name) for name in (b"key", b"rho", b"device"))
SEAT = Seat(address_of(KEY), address_of(KEY))


def batch(uptime_bps: int) -> BatchMessage:
    leaves = (ObservationLeaf(DEVICE, RHO, 5, 1, uptime_bps),)
    signature = Observations(7, 2, RHO, batch_tree(leaves).root).sign(DOMAIN, KEY)
    return BatchMessage(epoch=7, set_id=2, seat=SEAT.account, rho=RHO, leaves=leaves, signature=signature)


def test_batch__with_more_uptime_than_there_is__is_refused_though_its_seat_signed_it() -> None:
    context = SimpleNamespace(epoch=7, set_id=2, seats=(SEAT,), domain=DOMAIN, seat_of=lambda _: 0)
    kept: list[BatchMessage] = []
    record = SimpleNamespace(context=context, by_digest={}, add_batch=lambda _, message, __: kept.append(message))
    admit_batch(record, batch(10_000), RHO, 1.0)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="uptime above 10000"):
        admit_batch(record, batch(10_001), RHO, 1.0)  # type: ignore[arg-type]
    assert kept == [batch(10_000)]
