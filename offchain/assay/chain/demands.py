"""Demands for openings as FraudProofs holds them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.client import At, Chain

FRAUD_PROOFS = "FraudProofs"


@dataclass(frozen=True, slots=True)
class Demand:
    """An open demand: row i of round t of a sealed result, or with `is_row` false the leaf of round t.

    `deadline` in seconds since 1970, by the chain's clock: a block of that second still takes the answer.
    """

    demand_id: int
    device_id: bytes
    epoch: int
    result_root: bytes
    is_row: bool
    t: int
    i: int
    deadline: int


async def open_demand(chain: Chain, device_id: bytes, at: At = None) -> Demand | None:
    """The demand that is open against a device (the contract allows one at a time), or None. Raises ChainError."""
    where = at if at is not None else await chain.finalised()
    demand_id: int = await chain.call(FRAUD_PROOFS, "openDemandOf", device_id, at=where)
    if demand_id == 0:
        return None
    row = await chain.call(FRAUD_PROOFS, "demandOf", demand_id, at=where)
    return Demand(
        demand_id, bytes(row.deviceId), row.epoch, bytes(row.resultRoot), row.isRow, row.t, row.i, row.deadline
    )
