"""`assay move`: a lease's work at another provider; `keep --move` does it by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.contracts.erc20 import Erc20
from assay.cli.option_groups import OptionGroup
from assay.cli.output import OutputFormat, note, show
from assay.cli.renter.options import Asking, Connection, Filters, LeaseId, Output, renter_command
from assay.cli.renter.pods.backups import ESCROW, Storage, files_of, opened, with_pod
from assay.cli.renter.pods.options import variable
from assay.cli.renter.texts import amounts_in
from assay.protocol.hexadecimal import to_hex
from assay.protocol.rates import cost
from assay.renter.backups.backup_files import BackupPlace
from assay.renter.errors import BadInput, ProviderRefused, RenterError, Unreachable
from assay.renter.lease.lease_rights import require_own
from assay.renter.market.search import Order
from assay.renter.money.amounts import amount_text, parse_amount, parse_duration, show_amount

if TYPE_CHECKING:
    from assay.chain.contracts.leases import Lease
    from assay.renter.lease.steps import Step
    from assay.renter.market.listing import Listing
    from assay.renter.moves.move_files import MoveFiles, MoveState
    from assay.renter.renter import Renter

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LEAST_S = 60


@dataclass(frozen=True)
class Moving(OptionGroup):
    """What the next lease of a move may be."""

    budget: Annotated[str | None, typer.Option("--budget", help="the most that its deposit may be, whole tokens")] = (
        None
    )
    backups: Annotated[
        str | None,
        typer.Option("--backups", help="where its files go over: --to of `assay backup`, if not said yet"),
    ] = None


@renter_command(commands, "move")
async def move(
    lease: LeaseId,
    connection: Connection,
    filters: Filters,
    storage: Storage,
    moving: Moving,
    asking: Asking,
    to: Annotated[str | None, typer.Option("--to", help="device id, or enough of its beginning")] = None,
    best: Annotated[bool, typer.Option("--best", help="the best offer that the filters leave")] = False,
    sort: Annotated[Order, typer.Option("--sort", help="which one is the best")] = Order.best,
    duration: Annotated[
        str | None, typer.Option("--duration", help="how long its deposit lasts; as long as the old one without")
    ] = None,
    env: Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE in its pod, as the old one has it")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Have a lease's work go on at another provider: the next one is rented, its files go over by a backup, the old one
    is ended, and only then its start command runs in the next. What fails leaves one of the two whole, and what was
    broken off goes on when it is asked for again."""
    if to is not None and best:
        raise BadInput("--to and --best: one or the other, not both")
    environment = dict(variable(pair) for pair in env or [])
    async with connection.renter() as renter:
        old = await renter.lease(lease)
        require_own(old, renter.address)
        under_way = moves_of(renter, connection).read(lease)
        if under_way is None:
            if to is None and not best:
                raise BadInput("where to? --to DEVICE, or --best")
            if moving.budget is None:
                raise BadInput("--budget: say how much the deposit of the next lease may be, whole tokens")
        else:
            note(f"a move of lease {lease} was broken off at: {under_way.step}; going on")
        new = await moved(
            renter, connection, old, storage, moving, filters, sort, asking,
            to=to, duration=duration, environment=environment, under_way=under_way,
        )  # fmt: skip
        view = await renter.view(new)
        decimals = await Erc20(renter.chain, view.lease.token).decimals()
    values: dict[str, Any] = {"leaseId": new, "movedFrom": lease, "status": view.lease.status.name.lower()}
    values["deposit"] = amounts_in(output)(view.lease.deposit, decimals)
    show(values, output)
    note(f"assay ssh {new}    assay leases {lease} --receipt")


async def moved(
    renter: Renter,
    connection: Connection,
    old: Lease,
    storage: Storage,
    moving: Moving,
    filters: Filters,
    sort: Order,
    asking: Asking,
    to: str | None = None,
    duration: str | None = None,
    environment: dict[str, str] | None = None,
    under_way: MoveState | None = None,
) -> int:
    """The number of the lease that goes on. Raises MoveFailed, which says which lease runs."""
    from assay.renter.moves.lease_mover import MoveWishes, actions_of
    from assay.renter.moves.mover import Mover

    number = old.lease_id
    backup_files = files_of(renter, connection)
    known = backup_files.read(number)
    place = storage.at(number, moving.backups) if moving.backups else known
    if place is None:
        raise BadInput(f"lease {number} has no backups: say where its files go over with --backups s3://BUCKET/PREFIX")
    repository = opened(backup_files, place)
    listing, state = None, under_way
    if state is None:
        listing, state, place = await _planned(
            renter, old, place, moving, filters, sort, asking, to, duration, bool(environment)
        )
    backup_files.write(place)
    wishes = MoveWishes(repository, filters.minima(), environment or {}, _tell_step, note)
    new = await Mover(actions_of(renter, moves_of(renter, connection), listing, wishes)).run(state)
    note(f"lease {number} goes on as lease {new}")
    await _back_up_on(renter, backup_files, replace(place, lease_id=new), repository)
    return new


async def _planned(
    renter: Renter,
    old: Lease,
    place: BackupPlace,
    moving: Moving,
    filters: Filters,
    sort: Order,
    asking: Asking,
    to: str | None,
    duration: str | None,
    told_environment: bool,
) -> tuple[Listing, MoveState, BackupPlace]:
    """Chooses and asks. Raises BadInput, NoDevice, RenterDeclined."""
    from assay.renter.moves.lease_mover import OPEN, next_listing
    from assay.renter.moves.move_files import MoveState, MoveStep

    now, number = int(time.time()), old.lease_id
    seconds = parse_duration(duration) if duration else max(LEAST_S, old.stop - now)
    token = Erc20(renter.chain, old.token)
    decimals, symbol = await token.decimals(), await token.symbol()
    budget = parse_amount(str(moving.budget), decimals)
    silent = False
    try:
        place = await with_pod(await renter.session(number), place)
    except Unreachable as error:
        silent = True
        note(f"lease {number} does not answer ({error}): its last backup is what goes over")
    except ProviderRefused as error:
        raise BadInput(f"lease {number} cannot be moved: {error.reason}") from None
    wanted = filters.wanted(f"{seconds}s", "1")
    if to is not None:
        listing = await renter.listing(await renter.device_id(to), wanted.min_gpus, old.token)
    else:
        listing = await next_listing(renter, wanted, sort, old, seconds, budget, elsewhere=silent)
    deposit = cost(listing.rate, seconds)
    if deposit > budget:
        raise BadInput(
            f"--budget {moving.budget}: {seconds} s of {listing.name} take a deposit of "
            f"{show_amount(deposit, decimals)} {symbol}; a shorter --duration, another device, or more"
        )
    if place.start and not told_environment:
        note("the variables of the old pod are not known here: name those that its start command needs with --env")
    asking.confirm(
        f"Rent {listing.model or 'a device'} ({listing.name[:10]}…) for a deposit of {amount_text(deposit, decimals)} "
        f"{symbol}, take over the files of lease {number}, and end that? What is written there after its last backup "
        "has begun is lost."
    )
    leases = await renter.own_leases(lambda one: one.status in OPEN)
    state = MoveState(
        old=number,
        step=MoveStep.renting,
        devices=tuple(to_hex(one) for one in listing.device_ids),
        known=tuple(one.lease.lease_id for one in leases),
        seconds=seconds,
        silent=silent,
        image=place.image,
        digest=place.digest,
        start=tuple(place.start),
        ports=tuple(place.ports),
    )
    return listing, state, place


async def _back_up_on(renter: Renter, files: Any, place: BackupPlace, repository: Any) -> None:
    """The next lease's own backups go to the same place, as often as the old one's."""
    from assay.renter.backups.lease_backups import begin_backup

    files.write(place)
    if place.every is None:
        return
    try:
        await begin_backup(await renter.session(place.lease_id), repository, place.every)
        note(f"its backups go on every {place.every} s; `assay backup {place.lease_id} --status` tells how")
    except RenterError as error:
        note(f"its backups could not be begun ({error}): `assay backup {place.lease_id} --every {place.every}s`")


def moves_of(renter: Renter, connection: Connection) -> MoveFiles:
    """The moves that are under way here."""
    from assay.renter.moves.move_files import MoveFiles

    return MoveFiles(connection.settings().data_dir, renter.chain.chain_id, renter.chain.deployment.address(ESCROW))


def _tell_step(step: Step) -> None:
    note(f"{step.seconds:6.1f} s  {step.text}")
