"""`assay provider node`: devices that are leased together or not at all."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.provider.admin import existing
from assay.cli.provider.endings import finish
from assay.cli.provider.options import DataDir, Output, PriceOptions, ReadingOptions
from assay.provider.settings import ProviderSettings

commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Devices that are leased together or not at all, at one price.",
)
COLUMNS = {
    "name": "node",
    "devices": "devices",
    "token": "token",
    "rate": "rate",
    "minDuration": "least, s",
    "maxDuration": "longest, s",
    "notice": "notice, s",
}
Name = Annotated[str, typer.Argument(help="a name of your own for the node")]


@commands.command(name="set")
@with_options
def set_node(
    options: PriceOptions,
    given: ReadingOptions,
    name: Name,
    per_hour: Annotated[str, typer.Argument(help="whole tokens an hour for all of it")],
    devices: Annotated[list[str], typer.Argument(help="1 to 16 device ids, 0x…, or their first digits")],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="have the daemon cancel earlier offers of these devices on the chain")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Put devices on offer together, at once and without a transaction. Each may have a price of its own besides."""

    async def work() -> dict[str, Any]:
        from assay.chain.contracts.leases import nonce_floor
        from assay.protocol.hexadecimal import to_hex
        from assay.provider.account.finality import devices_when_final
        from assay.provider.account.standing import device_named
        from assay.provider.offers.terms import Node, TermsFile
        from assay.provider.reading import reading

        settings = given.settings()
        file = TermsFile(existing(settings.data_dir))
        known = file.read()
        async with reading(settings) as authority:
            rows = await devices_when_final(authority, note, devices)
            ids = sorted(device_named(device, rows, authority.provider) for device in devices)
            price = await options.price(authority.chain, known, to_hex(ids[0]), per_hour, settings.token)
            floors = {
                to_hex(one): await nonce_floor(authority.chain, one, authority.signer, "latest") + 1 for one in ids
            }
        terms = known.with_node(name, Node(tuple(to_hex(one) for one in ids), price))
        file.write(terms.with_floors(floors) if cancel else terms)
        return {
            "name": name,
            "deviceIds": [to_hex(one) for one in ids],
            "pricePerHour": per_hour,
            "rate": str(price.rate),
            "token": price.token,
            "notice": price.notice,
            "cancelled": cancel,
        }

    show(finish(work()), output)


@commands.command(name="remove")
def remove_node(name: Name, data_dir: DataDir = None, output: Output = OutputFormat.table) -> None:
    """Take a node off offer; offers signed before hold for some minutes. A lease of it goes on."""

    async def work() -> dict[str, Any]:
        from assay.provider.offers.terms import TermsFile

        file = TermsFile(existing(ProviderSettings.load({"data_dir": data_dir}).data_dir))
        file.write(file.read().without_node(name))
        return {"name": name, "removed": True}

    show(finish(work()), output)


@commands.command(name="list")
def list_nodes(data_dir: DataDir = None, output: Output = OutputFormat.table) -> None:
    """List the nodes on offer, as the terms have them."""

    async def work() -> list[dict[str, Any]]:
        from assay.provider.offers.terms import TermsFile

        terms = TermsFile(ProviderSettings.load({"data_dir": data_dir}).data_dir).read()
        return [
            {
                "name": name,
                "devices": list(node.devices),
                "token": node.price.token,
                "rate": str(node.price.rate),
                "minDuration": node.price.min_duration,
                "maxDuration": node.price.max_duration,
                "notice": node.price.notice,
            }
            for name, node in sorted(terms.nodes.items())
        ]

    rows = finish(work())
    show_rows("nodes", rows, COLUMNS, output, tuple(COLUMNS))
    if not rows:
        note("no node is on offer: `assay provider node set` puts devices together")
