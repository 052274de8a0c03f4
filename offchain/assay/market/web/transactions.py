"""Transactions for wallets: what to send, in which order, encoded with the deployment's own ABIs.

Nothing is signed or sent here. The page shows each transaction before the wallet does.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from sqlalchemy import Connection, select

from assay.market.api.context import Context, NotFound, context_of
from assay.market.api.parameters import AddressPath, AddressQuery, Hash, Number, checked, plain_hash
from assay.market.queries import devices
from assay.market.queries.pages import one
from assay.market.store.tables import epochs, leases, measurements, rewards
from assay.protocol.flags import Flag
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import RewardLeaf

router = APIRouter(prefix="/send", include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
Seconds = Annotated[int, Query(ge=1, le=366 * 86400)]
Receiver = AddressQuery
RATE_UNIT = 10**18


def step(ctx: Context, title: str, contract: str, function: str, *args: Any) -> dict[str, str]:
    """One transaction to `contract` (a name or a token's address)."""
    encode = ctx.links.get("encode")
    if encode is None:
        raise HTTPException(503, "this market was started without a chain to encode for")
    to, data = encode(contract, function, args)
    return {"title": title, "to": to, "data": to_hex(data), "function": f"{contract}.{function}"}


def cost(rate: int, seconds: int) -> int:
    """Base units that a lease streams in so many seconds, rounded up so that the deposit covers them."""
    return -(-rate * seconds // RATE_UNIT)


def recent_pass(connection: Connection, device_id: bytes) -> dict[str, Any] | None:
    """The device's newest measurement that opens a lease."""
    row = (
        connection.execute(
            select(measurements)
            .where(measurements.c.device_id == device_id, measurements.c.flags == int(Flag.PASSED))
            .order_by(measurements.c.epoch.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if row is None else dict(row)


@router.get("/open/{device_id}")
def open_lease(ctx: Ctx, device_id: Hash, seconds: Seconds) -> Any:
    """Approve the deposit, then open the lease with the offer and the proof of the newest pass."""
    key = plain_hash(device_id)
    with ctx.reading() as connection:
        found = devices.read_device(connection, key)
        passed = recent_pass(connection, key)
        if found is None or found.offer is None or passed is None:
            raise NotFound("This device has no good offer and recent pass just now.")
        epoch = one(connection, epochs, epoch=passed["epoch"])
        root = epoch["devices_root"] if epoch else None
        proof = ctx.proofs.device(connection, passed["epoch"], root, key) if root else None
    if proof is None:
        raise NotFound("The report with this device's newest pass is not here yet.")
    offer = found.offer
    deposit = cost(offer["rate"], max(seconds, offer["min_duration"], 60))
    terms = (
        offer["provider"], key, offer["token"], offer["rate"], offer["min_duration"], offer["max_duration"],
        offer["valid_until"], offer["nonce"], offer["renter"],
    )  # fmt: skip
    signature = bytes(offer["signature"])
    leaf = proof.leaf.values()
    return {
        "deposit": str(deposit),
        "token": offer["token"],
        "steps": [
            step(ctx, "Let the escrow take the deposit", offer["token"], "approve",
                 ctx.links["contracts"]["LeaseEscrow"], deposit),
            step(ctx, "Open the lease", "LeaseEscrow", "open", terms, signature, deposit, leaf, proof.proof,
                 found.row["score_gops"] * 9 // 10),
        ],
    }  # fmt: skip


@router.get("/top-up/{lease_id}")
def top_up(ctx: Ctx, lease_id: Number, seconds: Seconds) -> Any:
    """Approve, then add to the deposit."""
    lease = _lease(ctx, lease_id)
    amount = cost(lease["rate"], seconds)
    escrow = ctx.links["contracts"]["LeaseEscrow"]
    return {
        "steps": [
            step(ctx, "Let the escrow take it", lease["token"], "approve", escrow, amount),
            step(ctx, "Top the lease up", "LeaseEscrow", "topUp", lease_id, amount),
        ]
    }


@router.get("/refusal")
def refusal(ctx: Ctx, data: Annotated[str, Query(pattern="^0x([0-9a-fA-F]{2}){4,1024}$")]) -> Any:
    """What a contract's revert data says, in its own words."""
    explain = ctx.links.get("explain")
    return {"reason": explain(bytes.fromhex(data[2:])) if explain else "refused"}


@router.get("/rewards/{address}")
def rewards_claim(ctx: Ctx, address: AddressPath, account: Receiver = None) -> Any:
    """Claim what an account has earned, by the newest reward tree that the claim delay lets through."""
    who = checked(address)
    with ctx.reading() as connection:
        newest = (
            select(epochs)
            .join(rewards, rewards.c.epoch == epochs.c.epoch)
            .where(
                rewards.c.account == who,
                epochs.c.vetoed.is_(False),
                epochs.c.reported_at + ctx.links.get("claim_delay", 0) < ctx.status.timestamp,
            )
            .order_by(epochs.c.epoch.desc())
            .limit(1)
        )
        epoch = connection.execute(newest).mappings().first()
        found = ctx.proofs.reward(connection, epoch["epoch"], epoch["rewards_root"], who) if epoch else None
    if epoch is None or found is None or not isinstance(found.leaf, RewardLeaf):
        raise NotFound("Nothing can be claimed yet: reports become claimable when the claim delay is over.")
    receiver = checked(account) if account else who
    arguments = (epoch["epoch"], found.leaf.cumulative, found.proof, receiver)
    return {"steps": [step(ctx, "Claim what was earned", "RewardsDistributor", "claim", *arguments)]}


# action -> (title, function, whether it names who is paid)
ACTIONS = {
    "end": ("End the lease now", "end", False),
    "cancel": ("Cancel the pending lease", "cancel", False),
    "refund": ("Take the refund", "refund", True),
    "claim": ("Claim what has streamed", "claim", True),
    "return-bond": ("Take the bond back", "returnBond", True),
}


@router.get("/{action}/{lease_id}")
def settle(ctx: Ctx, action: str, lease_id: Number, account: Receiver = None) -> Any:
    """One transaction on a lease; payouts go to the wallet that asks."""
    if action not in ACTIONS:
        raise HTTPException(404, "no such action")
    title, function, pays = ACTIONS[action]
    lease = _lease(ctx, lease_id)
    receiver = checked(account) if account else lease["renter"]
    arguments = (lease_id, receiver) if pays else (lease_id,)
    return {"steps": [step(ctx, title, "LeaseEscrow", function, *arguments)]}


def _lease(ctx: Context, lease_id: int) -> dict[str, Any]:
    with ctx.reading() as connection:
        row = one(connection, leases, lease_id=lease_id)
    if row is None:
        raise NotFound(f"Lease {lease_id} has not been opened.")
    return row
