"""What renters measured inside their leases: taken in from who paid for one, and shown as they signed it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException

from assay.market.api import models
from assay.market.api.context import Context, context_of
from assay.market.api.parameters import Hash, plain_device
from assay.market.errors import CheckRefused
from assay.market.queries.checks import signed_checks
from assay.wire import market_paths as paths
from assay.wire.checks import CheckError, SignedCheck

router = APIRouter(tags=["testimony"])
Ctx = Annotated[Context, Depends(context_of)]


@router.post(paths.CHECKS, response_model=models.one_of(models.KeptCheck))
def take(ctx: Ctx, body: Annotated[dict[str, Any], Body()]) -> Any:
    """Takes a check's result, signed (EIP-712 CheckResult, domain of LeaseEscrow) by the account that opened the lease
    and has paid for ten minutes of it. One a lease is kept, the newest. It is shown as testimony and slashes nobody.
    """
    if ctx.checks is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this market accepts no results")
    try:
        signed = SignedCheck.from_json(body)
        ctx.checks.take(signed, ctx.status.timestamp)
    except (CheckError, CheckRefused) as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return ctx.one({"lease_id": signed.result.lease_id})


@router.get(paths.DEVICE_CHECKS, response_model=models.list_of(models.CheckRow))
def list_checks(ctx: Ctx, device_id: Hash) -> Any:
    """The newest results of leases of this device alone, with their signatures: who wants to, checks them against the
    chain.
    """
    with ctx.reading() as connection:
        found = signed_checks(connection, [plain_device(device_id)])
    return ctx.one([signed.row() | {"renter": renter} for renter, signed in found], models.CheckRow)
