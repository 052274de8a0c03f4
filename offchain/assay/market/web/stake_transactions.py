"""Transactions on stake and seats for wallets, as `transactions` are on leases."""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query

from assay.market.api.context import Context, context_of
from assay.market.api.parameters import AddressQuery, checked
from assay.market.web.formats import NETWORK_DECIMALS
from assay.market.web.transactions import step

router = APIRouter(prefix="/send", include_in_schema=False)
Ctx = Annotated[Context, Depends(context_of)]
Amount = Annotated[Decimal, Query(gt=0, lt=10**12, max_digits=30, decimal_places=NETWORK_DECIMALS)]


def base_units(amount: Decimal) -> int:
    """Whole network tokens in base units."""
    return int(amount * 10**NETWORK_DECIMALS)


def own(account: AddressQuery) -> str:
    """The wallet that asks."""
    if account is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "account: name the wallet that asks")
    return checked(account)


Own = Annotated[str, Depends(own)]


@router.get("/stake")
def stake(ctx: Ctx, account: Own, amount: Amount) -> Any:
    """Approve, then stake for one's own account."""
    units, manager = base_units(amount), ctx.links.contracts["StakeManager"]
    return {
        "steps": [
            step(ctx, "Let the stake manager take it", ctx.links.contracts["NetworkToken"], "approve", manager, units),
            step(ctx, f"Stake {amount:f} ASY", "StakeManager", "deposit", account, units),
        ]
    }


@router.get("/unstake")
def unstake(ctx: Ctx, amount: Amount) -> Any:
    """Ask stake back that backs nothing: it unbonds from now on."""
    title = f"Ask {amount:f} ASY back"
    return {"steps": [step(ctx, title, "StakeManager", "requestWithdrawal", base_units(amount))]}


@router.get("/keep-stake")
def keep_stake(ctx: Ctx) -> Any:
    """Take the request back: the stake is active again."""
    return {"steps": [step(ctx, "Leave it staked", "StakeManager", "cancelWithdrawal")]}


@router.get("/withdraw-stake")
def withdraw_stake(ctx: Ctx, account: Own) -> Any:
    """Take what has unbonded."""
    return {"steps": [step(ctx, "Take the unbonded stake", "StakeManager", "withdraw", account)]}


@router.get("/bounty")
def bounty(ctx: Ctx, account: Own) -> Any:
    """Take the bounties of proofs that are final."""
    return {"steps": [step(ctx, "Take the bounties", "StakeManager", "collectBounty", account)]}


@router.get("/raise-seat")
def raise_seat(ctx: Ctx, amount: Amount) -> Any:
    """Put more of one's free stake behind one's seat."""
    title = f"Put {amount:f} ASY more behind the seat"
    return {"steps": [step(ctx, title, "ValidatorSet", "raiseStake", base_units(amount))]}


@router.get("/leave-seat")
def leave_seat(ctx: Ctx) -> Any:
    """Give the seat up."""
    return {"steps": [step(ctx, "Leave the seat", "ValidatorSet", "leave")]}


@router.get("/release-seat")
def release_seat(ctx: Ctx, account: Own) -> Any:
    """Free the stake of a seat that was left, once the proof window is over."""
    return {"steps": [step(ctx, "Free the seat's stake", "ValidatorSet", "releaseStake", account)]}
