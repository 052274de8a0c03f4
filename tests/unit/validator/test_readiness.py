"""/readyz names every reason why a validator cannot take part in an epoch; /v1/status says how epochs stand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from assay.chain.blocks import Block
from assay.protocol.epochs import Phase
from assay.validator.status import status, unready
from tests.unit.validator.simulation.network import TIMING
from tests.unit.validator.simulation.virtual_time import START

OWN, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
NOW = START + 30


def daemon(**changes):
    """One with nothing to complain about, then changed."""
    block = Block(9, bytes(32), bytes(32), int(NOW) - 2, 0)
    given = {"head": block, "final": block, "error": "", "disk": "", "sat_out": "", "read": True,
             "endpoints": {OWN: "https://own", OTHER: "https://other"}, **changes}  # fmt: skip
    follower = SimpleNamespace(head=given["head"], final=given["final"], error=given["error"])
    services = SimpleNamespace(
        follower=follower, clock=SimpleNamespace(now=lambda: NOW), reader=SimpleNamespace(timing=TIMING),
        statements=SimpleNamespace(sits_out=lambda epoch: given["sat_out"] if epoch == 1 else ""),
    )  # fmt: skip
    return SimpleNamespace(
        services=services, account=OWN, endpoints=given["endpoints"], endpoints_read=given["read"],
        storage_error=given["disk"],
    )  # fmt: skip


OLD = Block(9, bytes(32), bytes(32), int(NOW) - 90, 0)


def test_unready__nothing_wrong__no_reason():
    assert unready(daemon()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"head": None}, "chain: not read yet"),
        ({"head": None, "error": "no chain answers"}, "chain: no chain answers"),
        ({"error": "no chain answers"}, "chain: no chain answers"),
        ({"head": OLD}, "chain: the latest block is 90 s old"),
        ({"disk": "database or disk is full"}, "disk: database or disk is full"),
        ({"sat_out": "epochs up to 1 are sat out: no witness"}, "record: epochs up to 1 are sat out: no witness"),
        ({"endpoints": {}, "read": False}, "seat: the seats are not read yet"),
        ({"endpoints": {}}, f"seat: {OWN} holds no seat"),
        ({"endpoints": {OTHER: "https://other"}}, f"seat: {OWN} holds no seat"),
        ({"endpoints": {OWN: ""}}, "seat: no endpoint is announced, other seats cannot reach this one"),
    ],
)
def test_unready__one_thing_wrong__named(changes, reason):
    assert unready(daemon(**changes)) == [reason]


def test_unready__several_things_wrong__all_named():
    found = unready(daemon(error="cut", disk="full", endpoints={}))
    assert [reason.split(":")[0] for reason in found] == ["chain", "disk", "seat"]


@pytest.mark.parametrize(
    ("at_final", "stored", "shown"),
    [
        (Phase.DRAWN, "running", "drawn"),
        (Phase.NONE, "running", "none"),
        (None, None, "none"),
        (None, "running", "none"),
        # The chain is not asked about an epoch that is over.
        (None, "reported", "reported"),
        (None, "unseated", "unseated"),
    ],
)
def test_status__epoch__has_its_phase_or_how_it_ended(at_final, stored, shown):
    told = daemon()
    told.services.statements.address = OTHER
    told.services.follower.at_final = lambda epoch: None if at_final is None else SimpleNamespace(phase=at_final)
    told.services.store = SimpleNamespace(
        epoch=lambda epoch: None if stored is None else SimpleNamespace(outcome=stored),
        check_ins=lambda: {6: "0xhash"},
    )
    told.runs, told.counts = {7: SimpleNamespace(record=None)}, {}
    assert status(told)["epochs"]["7"]["phase"] == shown
    assert status(told)["checkIns"] == {"6": "0xhash"}
