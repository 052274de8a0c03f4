"""`assay keep`, also beside a job or a fresh lease: top up to a cap, claim downtime, leave once that is free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from assay.chain.contracts.erc20 import Erc20
from assay.chain.errors import ChainError
from assay.cli.option_groups import OptionGroup
from assay.cli.output import note
from assay.cli.renter.options import Asking, Connection, Filters, LeaseId, renter_command
from assay.cli.renter.pods.backups import Storage, files_of
from assay.cli.renter.pods.moving import Moving, moved, moves_of
from assay.cli.renter.pods.options import Wheels, wheels_in
from assay.renter.errors import BadInput, RenterError, Unreachable
from assay.renter.lease.keeping import Move, Policy
from assay.renter.lease.proving import ProofPolicy
from assay.renter.market.search import Order
from assay.renter.money.amounts import parse_amount, parse_duration

if TYPE_CHECKING:
    from assay.renter.renter import Renter

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True)
class Keeping(OptionGroup):
    """How a lease is kept while a command stays beside it."""

    auto_topup: Annotated[
        str | None, typer.Option("--auto-topup", help="top up until the deposit is this many whole tokens")
    ] = None
    topup_margin: Annotated[str, typer.Option("--topup-margin", help="top up when less than this is left")] = "10m"
    topup_step: Annotated[str, typer.Option("--topup-step", help="time that each top-up buys")] = "30m"
    patience: Annotated[
        str,
        typer.Option(
            "--patience", help="end it once devices are silent for this long and ending is free; `never` keeps it"
        ),
    ] = "3m"
    min_down: Annotated[
        float,
        typer.Option("--least-down", help="ignore epochs with less downtime than this, in percent", min=0, max=100),
    ] = 1.0
    every: Annotated[float, typer.Option("--every", help="seconds between looks", min=0.1)] = 10.0
    prove_every: Annotated[
        str | None, typer.Option("--prove-every", help="have the pod prove its cards this often: 1h")
    ] = None
    end_unproven: Annotated[
        bool, typer.Option("--end-unproven", help="end it at once, at any cost, if such a proof fails or is slow")
    ] = False
    wheels: Wheels = None

    def proving(self) -> ProofPolicy | None:
        """As the library takes it. Raises BadInput."""
        if self.prove_every is None:
            if self.end_unproven:
                raise BadInput("--end-unproven: say how often to prove with --prove-every")
            return None
        return ProofPolicy(parse_duration(self.prove_every), self.end_unproven, wheels_in(self.wheels))

    @property
    def min_down_bps(self) -> int:
        """As the library takes it."""
        return round(self.min_down * 100)

    async def policy(self, renter: Renter, lease_id: int, leave_free: bool = True) -> Policy:
        """As the library takes it. Raises BadInput."""
        lease = await renter.lease(lease_id)
        cap = parse_amount(self.auto_topup, await Erc20(renter.chain, lease.token).decimals()) if self.auto_topup else 0
        patience = None if self.patience == "never" else float(parse_duration(self.patience))
        margin, step = parse_duration(self.topup_margin), parse_duration(self.topup_step)
        return Policy(margin, step, cap, patience, leave_free, self.min_down_bps, self.proving())


@renter_command(commands, "keep")
async def keep(
    lease: LeaseId,
    connection: Connection,
    keeping: Keeping,
    filters: Filters,
    storage: Storage,
    moving: Moving,
    asking: Asking,
    move: Annotated[
        bool,
        typer.Option("--move", help="go on elsewhere: the best offer the filters leave, within --budget"),
    ] = False,
    settle: Annotated[
        bool, typer.Option("--settle/--no-settle", help="after its end, stay until its last downtime is collected")
    ] = True,
) -> None:
    """Stay beside a lease: top it up to a cap, have attested downtime refunded, and leave it once that costs nothing
    and its devices are silent, were down for too long, or one was slashed. Of another renter's lease, whose downtime
    this wallet may submit, only that."""
    async with connection.renter() as renter:
        of = await renter.lease(lease)
        if of.renter.lower() != renter.address.lower():
            note(f"submitting the downtime of {of.renter}'s lease {lease} until nothing is left; Ctrl-C stops")
            await renter.settle(lease, keeping.every, note, keeping.min_down_bps)
            return note(f"lease {lease} can have no more downtime")
        policy = await keeping.policy(renter, lease)
        if policy.cap:
            asking.confirm(f"Let the deposit of lease {lease} grow to {keeping.auto_topup}?")
        if move:
            asking.confirm(f"Pay deposits of up to {moving.budget} each for leases that take the place of {lease}?")
            return await _keep_moving(renter, connection, lease, keeping, Elsewhere(filters, storage, moving), settle)
        await keep_lease(renter, lease, keeping, settle)


@dataclass(frozen=True)
class Elsewhere:
    """Where a lease that is kept may go on, and how its files get there."""

    filters: Filters
    storage: Storage
    moving: Moving


async def _keep_moving(
    renter: Renter, connection: Connection, lease_id: int, keeping: Keeping, to: Elsewhere, settle: bool
) -> None:
    """As `keep_lease`, of the lease and of those that take its place. A move that fails is tried again as long as the
    lease is there to be kept."""
    if to.moving.budget is None:
        raise BadInput("--move: say with --budget how much the deposit of the next lease may be, whole tokens")
    if to.moving.backups is None and files_of(renter, connection).read(lease_id) is None:
        raise BadInput(f"--move: lease {lease_id} has no backups: `assay backup {lease_id} --to … --every 15m` first")
    asking = Asking(yes=True)
    while True:
        policy = replace(await keeping.policy(renter, lease_id), moving=True)
        note(f"keeping lease {lease_id}, elsewhere where it must be; Ctrl-C leaves it running")
        done = await renter.keep(lease_id, policy, keeping.every, note)
        if done is not Move.MOVE:
            break
        under_way = moves_of(renter, connection).read(lease_id)
        try:
            lease_id = await moved(
                renter, connection, await renter.lease(lease_id), to.storage, to.moving, to.filters, Order.best, asking,
                under_way=under_way,
            )  # fmt: skip
        except (RenterError, ChainError) as error:
            note(f"not moved, trying again: {error}")
            await renter.sleep(keeping.every)
    await _kept(renter, lease_id, keeping, settle, done)


async def keep_lease(renter: Renter, lease_id: int, keeping: Keeping, settle: bool = True) -> None:
    """Stays until the lease is over, and with `settle` until its downtime is collected. Raises Unreachable where it was
    left before its time."""
    policy = await keeping.policy(renter, lease_id)
    until = f", up to a deposit of {keeping.auto_topup}" if keeping.auto_topup else ""
    note(f"keeping lease {lease_id}{until}; Ctrl-C leaves it running")
    await _kept(renter, lease_id, keeping, settle, await renter.keep(lease_id, policy, keeping.every, note))


async def _kept(renter: Renter, lease_id: int, keeping: Keeping, settle: bool, done: Move) -> None:
    if settle:
        note(f"lease {lease_id} has ended; staying until its last epochs are reported, to collect their downtime")
        await renter.settle(lease_id, keeping.every, note, keeping.min_down_bps)
    if done is Move.END:
        raise Unreachable(f"lease {lease_id} was left early for the reason above; the rest was collected")
    note(f"lease {lease_id} has ended")
