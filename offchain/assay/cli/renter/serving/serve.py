"""`assay serve`: a template's server on leases at different sites, behind one address of this machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.option_groups import OptionGroup
from assay.cli.output import note
from assay.cli.renter.options import Asking, Connection, Filters, number, renter_command
from assay.cli.renter.pods.options import PodOptions
from assay.renter.errors import BadInput
from assay.renter.money.amounts import amount_text, parse_amount, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.renter.serving.serve_run import ServePolicy, ServeProgress
    from assay.wire.pods import PodBody

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
MAX_REPLICAS = 16
SPARE_SLOTS = 4  # for those that go while others come
HOST = "127.0.0.1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class ServeOptions(OptionGroup):
    """How many serve, where, and when one is given up."""

    replicas: Annotated[str, typer.Option("--replicas", help="how many leases serve: 3, or 1-3 by the load")] = "1"
    load: Annotated[
        float, typer.Option("--load", help="requests at once that one replica should have", min=1, max=10_000)
    ] = 8
    most_at_once: Annotated[
        int, typer.Option("--most-at-once", help="requests that one replica gets at once; others wait", min=1)
    ] = 256
    budget: Annotated[str | None, typer.Option("--budget", help="the most that all leases may cost, whole tokens")] = (
        None
    )
    lease_time: Annotated[
        str, typer.Option("--lease-time", help="what a deposit pays for at first, and each top-up")
    ] = "1h"
    port: Annotated[int, typer.Option("--port", help="port of this machine that answers", min=1, max=65_535)] = 8000
    server_port: Annotated[
        int | None, typer.Option("--server-port", help="port in the pod; the template's first without", min=1)
    ] = None
    health: Annotated[
        str, typer.Option("--health", help="path that a replica answers with 200 to 399 once it serves")
    ] = "/v1/models"
    start_patience: Annotated[
        str, typer.Option("--start-patience", help="a replica that does not serve after this is given up")
    ] = "15m"
    down_patience: Annotated[
        str, typer.Option("--down-patience", help="a replica that has not answered for this is given up")
    ] = "1m"
    name: Annotated[
        str | None, typer.Option("--name", help="of what is served, for its next start; the template's without")
    ] = None


@renter_command(commands, "serve")
async def serve(
    of: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="whose server is started; `assay templates` lists them")
    ],
    connection: Connection,
    options: ServeOptions,
    filters: Filters,
    pod: PodOptions,
    asking: Asking,
) -> None:
    """Serve a template's server on leases at different sites, at one address of this machine, until Ctrl-C. A replica
    that fails, or whose provider gives notice, is replaced; how many there are follows the load between two bounds;
    --budget holds over all of it."""
    from assay.cli.renter.batch.progress import Teller
    from assay.cli.renter.batch.run_each import coin_of, paid_in
    from assay.renter.batch.batch_journal import BatchJournal
    from assay.renter.batch.renter_market import RenterMarket
    from assay.renter.serving.renter_ways import RenterWays
    from assay.renter.serving.router import HaproxyRouter
    from assay.renter.serving.serve_run import ServeRun

    if pod.template not in (None, of):
        raise BadInput(f"serve {of} --template {pod.template}: one or the other")
    body = replace(pod, template=of).wanted()
    inside, budget = _port_in(body, options), number(options.budget, "--budget")
    if budget is None:
        raise BadInput("--budget: say how much all leases may cost at most, whole tokens, such as --budget 20")
    name = options.name or of
    if not _NAME.fullmatch(name):
        raise BadInput(f"--name {name[:80]!r}: at most 40 letters, digits, dots, dashes and underscores")
    wanted, minima = filters.wanted(None, "1"), filters.minima()
    least, most = bounds_of(options.replicas)
    folder = connection.settings().data_dir / "serving" / name
    slots = most + SPARE_SLOTS
    router = HaproxyRouter(folder, HOST, options.port, options.health, slots, options.most_at_once)
    async with connection.renter() as renter:
        journal = BatchJournal(folder / "serving.sqlite")
        try:
            token = await paid_in(renter, journal, wanted)
            journal.claim(f"{renter.address} on chain {renter.chain.chain_id}, paid in {token}")
            decimals, symbol = await coin_of(renter, token)
            policy = _policy(options, parse_amount(str(budget), decimals))
            many = f"{least}" if least == most else f"{least} to {most}"
            asking.confirm(f"Rent {many} leases for {of}, for at most {budget} {symbol} in all?")
            ways = RenterWays(renter, connection.settings().data_dir, inside)
            await router.start()
            try:
                note(f"http://{HOST}:{options.port} answers once a replica serves; Ctrl-C ends all leases")
                with Teller.opened(_line(decimals, budget, symbol)) as teller:
                    market = RenterMarket(renter, replace(wanted, token=token), minima, body, teller.tell)
                    await ServeRun(market, journal, router, ways, policy, teller.tell).run(teller.look)
            finally:
                await router.close()
        finally:
            journal.close()
            sys.stderr.flush()


def _port_in(body: PodBody, options: ServeOptions) -> int:
    """The port of the pod's loopback that the server listens on. Raises BadInput."""
    if options.server_port is not None:
        return options.server_port
    if not body.ports:
        raise BadInput(f"template {body.template or body.image}: names no port here; say which with --server-port")
    return body.ports[0]


def bounds_of(text: str) -> tuple[int, int]:
    """(least, most) of `3` or `1-3`. Raises BadInput."""
    match = re.fullmatch(r"([1-9][0-9]?)(?:-([1-9][0-9]?))?", text)
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most <= MAX_REPLICAS:
        raise BadInput(
            f"--replicas {text!r}: expected 1 to {MAX_REPLICAS}, or such as 1-3 for as many as the load wants"
        )
    return least, most


def _policy(options: ServeOptions, budget: int) -> ServePolicy:
    from assay.renter.batch.rules import BatchLimits
    from assay.renter.serving.scaling import Bounds
    from assay.renter.serving.serve_run import ServePolicy

    least, most = bounds_of(options.replicas)
    return ServePolicy(
        Bounds(least, most, options.load),
        BatchLimits(most + SPARE_SLOTS, budget, parse_duration(options.lease_time), 1),
        float(parse_duration(options.start_patience)),
        float(parse_duration(options.down_patience)),
    )


def _line(decimals: int, budget: Decimal, symbol: str) -> Callable[[ServeProgress], str]:
    def line(progress: ServeProgress) -> str:
        at_most = f"at most {amount_text(progress.committed, decimals)} of {budget} {symbol}"
        return (
            f"{progress.up} of {progress.wanted} replicas serve, {progress.leases} leases, "
            f"{progress.requests} requests at once, {at_most}"
        )

    return line
