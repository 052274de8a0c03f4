"""`assay provider notice`, `release`, `end`: taking devices back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat
from assay.cli.provider.options import Output, SendingOptions
from assay.cli.provider.orders import Kind, OrderPlan, order
from assay.cli.renter.options import Asking

if TYPE_CHECKING:
    from assay.provider.account.authority import Authority
    from assay.provider.leasing.orders import LeaseOrder
    from assay.provider.settings import ProviderSettings

LeaseId = Annotated[int, typer.Argument(help="number of the lease", min=1)]


@with_options
def notice(lease: LeaseId, given: SendingOptions, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Give notice of a lease: when it has run out, the daemon ends the lease and no bond is forfeited."""
    from assay.provider.leasing import orders

    _of_lease(given, asking, output, "notices", lease, lambda authority: orders.notice(authority, lease), "Give notice")


@with_options
def release(lease: LeaseId, given: SendingOptions, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Free the devices of a lease that its renter has left early and still pays."""
    from assay.provider.leasing import orders

    _of_lease(given, asking, output, "releases", lease, lambda authority: orders.release(authority, lease), "Release")


@with_options
def end(lease: LeaseId, given: SendingOptions, asking: Asking, output: Output = OutputFormat.table) -> None:
    """End a lease now. Before its least duration the unserved part of the bond is forfeited to the renter."""
    from assay.provider.leasing import orders

    _of_lease(given, asking, output, "ends", lease, lambda authority: orders.end(authority, lease), "End")


def _of_lease(
    given: SendingOptions,
    asking: Asking,
    output: OutputFormat,
    kind: Kind,
    lease_id: int,
    make: Callable[[Authority], Awaitable[LeaseOrder]],
    verb: str,
) -> None:
    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.contracts.amounts import amount_text
        from assay.chain.contracts.erc20 import Erc20

        made = await make(authority)
        cost = ""
        if made.forfeits and made.lease is not None:
            token = Erc20(authority.chain, made.lease.token)
            amount = amount_text(made.forfeits, await token.decimals())
            cost = f" {amount} {await token.symbol()} of its bond are forfeited."
        of = "of " if verb == "Give notice" else ""
        question = f"{verb} {of}lease {lease_id}? {made.effect[0].upper()}{made.effect[1:]}.{cost}"
        shown = {"leaseId": lease_id, "forfeits": str(made.forfeits)}
        return OrderPlan([made.call], question, shown, kind=kind, lease_id=lease_id)

    order(given, asking, output, prepare, own_key=False)
