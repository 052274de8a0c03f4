"""Transactions for wallets: what to send, in which order, encoded with the deployment's own ABIs.

Nothing is signed or sent here. The page shows each transaction before the wallet does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from sqlalchemy import Connection

from assay.market.api.context import Context, UnknownName, context_of
from assay.market.api.parameters import AddressPath, AddressQuery, Hash, Number, checked, plain_hash
from assay.market.queries.claims import claimable_report
from assay.market.queries.lease_downtime import Attested, creditable
from assay.market.queries.leases import pending_leases, read_lease
from assay.market.queries.listings import read_listing
from assay.market.queries.pages import one
from assay.market.queries.proofs import TREE_CACHE_SIZE, LeafProof
from assay.market.queries.providers import payout_of
from assay.market.store.tables import epochs
from assay.market.web.refusals import worded
from assay.network.addresses import LOCAL_CHAINS
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import DeviceLeaf, Flag, RewardLeaf
from assay.protocol.messages import Offer
from assay.protocol.rates import cost
from assay.protocol.types import DeviceId

SEND = "/send/"
router = APIRouter(prefix="/send", include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
Seconds = Annotated[int, Query(ge=1, le=366 * 86400)]
Receiver = AddressQuery
MIN_PAID_S = 60
# 65 bytes of a key, or what a contract wallet takes for its signature.
PERMIT_SIGNATURE = "^0x([0-9a-fA-F]{2}){64,1024}$"
FAUCET_TOKENS = 1_000
MAX_STEPS = TREE_CACHE_SIZE  # at once: each takes the tree of a report


def step(ctx: Context, title: str, contract: str, function: str, *args: Any) -> dict[str, str]:
    """One transaction to `contract` (a name or a token's address)."""
    encode = ctx.links.encode
    if encode is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "this market was started without a chain to encode for")
    to, data = encode(contract, function, args)
    return {"title": title, "to": to, "data": to_hex(data), "function": f"{contract}.{function}"}


def terms_of(offer: Mapping[str, Any]) -> tuple[Any, ...]:
    """An offer as the escrow's functions take it."""
    return tuple(offer[field.name] for field in fields(Offer))


def offer_of(lease: Mapping[str, Any]) -> tuple[Any, ...]:
    """The offer that a lease was opened on."""
    return terms_of({**lease, "renter": lease["offer_renter"]})


def passes(ctx: Context, connection: Connection, epoch: int, device_ids: Sequence[DeviceId]) -> list[LeafProof] | None:
    """The leaves of these devices in the report of an epoch that passed all of them, each with its proof."""
    row = one(connection, epochs, epoch=epoch)
    root = row["devices_root"] if row else None
    found = [ctx.proofs.device(connection, epoch, root, d) for d in device_ids] if root else []
    proven = [p for p in found if p is not None and isinstance(p.leaf, DeviceLeaf) and p.leaf.flags == Flag.PASSED]
    return proven if len(proven) == len(device_ids) else None


@router.get("/open/{listing_id}")
def open_lease(
    ctx: Ctx,
    listing_id: Hash,
    seconds: Seconds,
    account: Receiver = None,
    deadline: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
    signature: Annotated[str | None, Query(pattern=PERMIT_SIGNATURE)] = None,
) -> Any:
    """Approve the deposit, then open the lease with the offer and the proofs of the newest epoch that passed all of its
    devices, none of which may have scored or shown less than the page says. An account that has a pending lease of one
    of them has that to go on with, or to cancel. `permit` is what may be signed in place of the approval, to be asked
    for again with its `deadline` and `signature`.
    """
    if (deadline is None) != (signature is None):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "a permit is a deadline and a signature: name both")
    if ctx.status.stale:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"nothing can be rented now: {ctx.status.trouble}")
    with ctx.reading() as connection:
        found = read_listing(connection, plain_hash(listing_id))
        if found is None or found.offer is None or not found.row["passed_epoch"]:
            raise UnknownName("This has no good offer and recent pass just now.")
        waiting = pending_leases(connection, checked(account), found.row["device_ids"]) if account else []
        if waiting:
            raise HTTPException(
                HTTPStatus.CONFLICT,
                f"you have opened lease {waiting[0]} of this: go on with it or cancel it at /leases/{waiting[0]}",
            )
        proofs = passes(ctx, connection, found.row["passed_epoch"], found.row["device_ids"])
    if proofs is None:
        raise UnknownName("The report with the newest pass is not here yet.")
    offer = found.offer
    deposit = cost(offer["rate"], max(seconds, offer["min_duration"], MIN_PAID_S))
    if deposit >= 1 << 96:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST,
            f"a deposit of {deposit} base units is more than the escrow holds: take a shorter time",
        )
    leaves = [proof.leaf for proof in proofs if isinstance(proof.leaf, DeviceLeaf)]
    arguments = (
        terms_of(offer),
        bytes(offer["signature"]),
        deposit,
        [leaf.values() for leaf in leaves],
        [proof.proof for proof in proofs],
        min(leaf.score_gops for leaf in leaves),
        min(leaf.memory_mib for leaf in leaves),
    )
    escrow = ctx.links.contracts["LeaseEscrow"]
    answer = {"deposit": str(deposit), "token": offer["token"]}
    if signature is not None:
        permit = (deadline, bytes.fromhex(signature[2:]))
        return answer | {"steps": [step(ctx, "Open the lease", "LeaseEscrow", "openWithPermit", *arguments, permit)]}
    return answer | {
        "permit": {"token": offer["token"], "spender": escrow, "value": str(deposit)},
        "steps": [
            step(ctx, "Let the escrow take the deposit", offer["token"], "approve", escrow, deposit),
            step(ctx, "Open the lease", "LeaseEscrow", "open", *arguments),
        ],
    }


@router.get("/top-up/{lease_id}")
def top_up(ctx: Ctx, lease_id: Number, seconds: Seconds) -> Any:
    """Approve, then add to the deposit."""
    lease = _lease(ctx, lease_id)
    amount = cost(lease["rate"], seconds)
    escrow = ctx.links.contracts["LeaseEscrow"]
    return {
        "steps": [
            step(ctx, "Let the escrow take it", lease["token"], "approve", escrow, amount),
            step(ctx, "Top the lease up", "LeaseEscrow", "topUp", lease_id, amount),
        ]
    }


@router.get("/refund-downtime/{lease_id}")
def refund_downtime(ctx: Ctx, lease_id: Number) -> Any:
    """Submit every epoch whose downtime can be credited now, of each the worst device's leaf."""
    lease = _lease(ctx, lease_id)
    steps = []
    with ctx.reading() as connection:
        for found in creditable_now(ctx, connection, lease)[:MAX_STEPS]:
            epoch = one(connection, epochs, epoch=found.epoch)
            proof = (
                ctx.proofs.device(connection, found.epoch, epoch["devices_root"], found.device_id) if epoch else None
            )
            if proof is not None:
                title = f"Submit {found.seconds} s of downtime in epoch {found.epoch}"
                arguments = (lease_id, offer_of(lease), proof.leaf.values(), proof.proof)
                steps.append(step(ctx, title, "LeaseEscrow", "refundDowntime", *arguments))
    if not steps:
        raise UnknownName("No report attests downtime of this lease that can be credited now.")
    return {"steps": steps}


def creditable_now(ctx: Context, connection: Connection, lease: Mapping[str, Any]) -> list[Attested]:
    """Downtime that can be credited at the index's newest block."""
    fixed = ctx.deadlines
    return creditable(connection, lease, ctx.terms, fixed.genesis, fixed.epoch_length, ctx.timestamp)


@router.get("/faucet/{token}")
def faucet(ctx: Ctx, token: AddressPath, account: Receiver = None) -> Any:
    """Test tokens of a local network, whose contract gives them to anybody."""
    paid_in = ctx.links.tokens.get(checked(token))
    if ctx.status.chain_id not in LOCAL_CHAINS or paid_in is None or token == ctx.links.contracts.get("NetworkToken"):
        raise HTTPException(HTTPStatus.NOT_FOUND, "only the test tokens of a local network are given away")
    if account is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "account: name who is to get them")
    title = f"Take {FAUCET_TOKENS:,} {paid_in.symbol} of the local network"
    amount = FAUCET_TOKENS * 10**paid_in.decimals
    return {"steps": [step(ctx, title, checked(token), "mint", checked(account), amount)]}


@router.get("/cancel-all")
def cancel_all(ctx: Ctx, account: Receiver = None) -> Any:
    """Cancel every pending lease of an account, the newest first, as many at once as there may be steps."""
    if account is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "account: name whose leases these are")
    with ctx.reading() as connection:
        waiting = pending_leases(connection, checked(account))[:MAX_STEPS]
    if not waiting:
        raise UnknownName("This account has no pending lease.")
    return {"steps": [step(ctx, f"Cancel lease {n}", "LeaseEscrow", "cancel", n) for n in waiting]}


@router.get("/refunder")
def refunder(ctx: Ctx, agent: AddressQuery, may: bool = True) -> Any:
    """Let another account submit the downtime of all leases that the wallet's account rents, or no longer."""
    if agent is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "name the account that may submit downtime")
    title = "Let that account submit downtime" if may else "Let that account submit downtime no longer"
    return {"steps": [step(ctx, title, "LeaseEscrow", "nameRefunder", checked(agent), may)]}


@router.get("/refusal")
def refusal(ctx: Ctx, data: Annotated[str, Query(pattern="^0x([0-9a-fA-F]{2}){4,1024}$")]) -> Any:
    """What a contract's revert data says, in its own words."""
    explain = ctx.links.explain
    return {"reason": worded(explain(bytes.fromhex(data[2:]))) if explain else "refused"}


@router.get("/rewards/{address}")
def rewards_claim(ctx: Ctx, address: AddressPath, account: Receiver = None) -> Any:
    """Claim what an account has earned, by the newest reward tree that the claim delay lets through."""
    who = checked(address)
    with ctx.reading() as connection:
        epoch = claimable_report(connection, who, ctx.deadlines, ctx.timestamp)
        found = ctx.proofs.reward(connection, epoch["epoch"], epoch["rewards_root"], who) if epoch else None
    if epoch is None or found is None or not isinstance(found.leaf, RewardLeaf):
        raise UnknownName("Nothing can be claimed yet: reports become claimable when the claim delay is over.")
    receiver = checked(account) if account else who
    arguments = (epoch["epoch"], found.leaf.cumulative, found.proof, receiver)
    return {"steps": [step(ctx, "Claim what was earned", "RewardsDistributor", "claim", *arguments)]}


@dataclass(frozen=True, slots=True)
class Action:
    """One transaction on a lease. `pays` says whose money it moves, where it names a receiver."""

    title: str
    function: str
    pays: str = ""


ACTIONS = {
    "end": Action("End the lease now", "end"),
    "cancel": Action("Cancel the pending lease", "cancel"),
    "give-notice": Action("Give notice", "giveNotice"),
    "release": Action("Let the renter go", "release"),
    "settle-forfeit": Action("Put the forfeit among the fees", "settleForfeit"),
    "refund": Action("Take the refund", "refund", "renter"),
    "claim": Action("Claim what has streamed", "claim", "provider"),
    "return-bond": Action("Take the bond back", "returnBond", "provider"),
}


@router.get("/{action}/{lease_id}")
def settle(ctx: Ctx, action: str, lease_id: Number, account: Receiver = None) -> Any:
    """One transaction on a lease. Payouts go to the wallet that asks; what an operator claims goes to where its
    provider is paid, as the escrow demands.
    """
    if action not in ACTIONS:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such action")
    chosen = ACTIONS[action]
    lease = _lease(ctx, lease_id)
    if not chosen.pays:
        return {"steps": [step(ctx, chosen.title, "LeaseEscrow", chosen.function, lease_id)]}
    receiver = checked(account) if account else lease[chosen.pays]
    if chosen.pays == "provider" and receiver != lease["provider"]:
        with ctx.reading() as connection:
            receiver = payout_of(connection, lease["provider"])
    return {"steps": [step(ctx, chosen.title, "LeaseEscrow", chosen.function, lease_id, receiver)]}


def _lease(ctx: Context, lease_id: int) -> dict[str, Any]:
    with ctx.reading() as connection:
        row = read_lease(connection, lease_id, ctx.terms, ctx.timestamp)
    if row is None:
        raise UnknownName(f"Lease {lease_id} has not been opened.")
    return row
