"""`assay expose` and `assay endpoints`: ports of a lease's pod that anybody can call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command
from assay.cli.renter.texts import bytes_text

if TYPE_CHECKING:
    from assay.renter.session.provider_session import ProviderSession
    from assay.wire.pods import EndpointBody, EndpointsBody

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LOOK_S = 1.0
COLUMNS = {
    "address": "address", "leads": "leads to", "state": "state", "connections": "connections", "received": "in",
    "sent": "out", "since": "since",
}  # fmt: skip
FIELDS = (
    "address", "protocol", "port", "publicPort", "listening", "shut", "connections", "receivedBytes", "sentBytes",
    "openedAt",
)  # fmt: skip
STATES = {
    "yes": "open",
    "no": "nobody listens",
    "loopback": "listens on its loopback only",
    "stopped": "the pod does not run",
}


@renter_command(commands, "expose")
async def expose(
    lease: LeaseId,
    port: Annotated[int, typer.Argument(help="port of the pod", min=1, max=65_535)],
    connection: Connection,
    udp: Annotated[bool, typer.Option("--udp", help="UDP instead of TCP")] = False,
    public_port: Annotated[
        int | None,
        typer.Option("--public-port", help="of the provider's; else it chooses", min=1, max=65_535),
    ] = None,
    close: Annotated[bool, typer.Option("--close", help="close it again")] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="seconds to wait for something in the pod to listen there", min=0)
    ] = 30.0,
    output: Output = OutputFormat.table,
) -> None:
    """Have anybody reach a port of a lease's pod, until the lease is over; what listens there must do so on 0.0.0.0.

    There is no login before it but the one that your program asks for. Everything goes through as it is sent.
    """
    from assay.wire.pods import ExposeBody

    protocol = "udp" if udp else "tcp"
    async with connection.renter() as renter:
        session = await renter.session(lease)
        if close:
            return await _close(session, lease, port, protocol, output)
        shown = await session.expose(ExposeBody(port=port, protocol="udp" if udp else "tcp", public_port=public_port))
        row = endpoint_json(session, shown)
        show(row if output is not OutputFormat.table else _where(row), output)
        if shown.shut is not None:
            note(f"the provider has shut it: {shown.shut}")
        elif shown.listening != "yes":
            await _until_listening(session, lease, shown, wait)


@renter_command(commands, "endpoints")
async def endpoints(lease: LeaseId, connection: Connection, output: Output = OutputFormat.table) -> None:
    """List the ports of a lease's pod that anybody can reach, and what has gone through, by the provider's count."""
    async with connection.renter() as renter:
        session = await renter.session(lease)
        shown = await session.endpoints()
    _show_all(session, shown, output)
    if output is OutputFormat.table:
        if shown.shut is not None:
            note(f"the provider has shut all endpoints of lease {lease}: {shown.shut}")
        elif not shown.endpoints:
            note(f"nothing of lease {lease} is exposed: `assay expose {lease} PORT`; at most {shown.most} here")


async def _close(session: ProviderSession, lease: int, port: int, protocol: str, output: OutputFormat) -> None:
    from assay.renter.errors import BadInput

    known = [one for one in (await session.endpoints()).endpoints if (one.protocol, one.port) == (protocol, port)]
    if not known:
        raise BadInput(
            f"{protocol} port {port} of lease {lease} is not exposed; `assay endpoints {lease}` lists what is"
        )
    left = await session.close_endpoint(protocol, known[0].public_port)
    note(f"{protocol} port {port} of lease {lease} is closed")
    _show_all(session, left, output)


async def _until_listening(session: ProviderSession, lease: int, shown: EndpointBody, wait: float) -> None:
    """Says what is missing, and stays until it is there or time is up: the endpoint stays open either way."""
    what = f"{shown.protocol} port {shown.port} of the pod"
    reasons = {
        "no": f"nobody listens on {what} yet",
        "loopback": f"what listens on {what} does so on 127.0.0.1 only: have it listen on 0.0.0.0",
        "stopped": f"the pod of lease {lease} does not run",
    }
    note(reasons[shown.listening] + (f"; waiting for up to {wait:g} s, the endpoint stays open" if wait else ""))
    said, loop = shown.listening, asyncio.get_running_loop()
    until = loop.time() + wait
    while loop.time() < until:
        await asyncio.sleep(LOOK_S)
        found = [one for one in (await session.endpoints()).endpoints if one.public_port == shown.public_port]
        if not found:
            return note("the endpoint was closed meanwhile")
        if found[0].listening == "yes":
            return note("it listens: the address works")
        if found[0].listening != said:
            said = found[0].listening
            note(reasons[said])


def _show_all(session: ProviderSession, shown: EndpointsBody, output: OutputFormat) -> None:
    rows = [endpoint_json(session, one) for one in shown.endpoints]
    if output is OutputFormat.table:
        rows = [_text(row) for row in rows]
    show_rows("endpoints", rows, COLUMNS, output, FIELDS)


def endpoint_json(session: ProviderSession, shown: EndpointBody) -> dict[str, Any]:
    """An endpoint, with the address at which it is reached."""
    from assay.network.origins import parse_origin

    host = shown.host or parse_origin(session.endpoint.url).host
    host = f"[{host}]" if ":" in host else host
    told = {name: value for name, value in shown.to_json().items() if name != "host"}
    return {"address": f"{host}:{shown.public_port}", **told}


def _where(row: dict[str, Any]) -> dict[str, Any]:
    shown = _text(row)
    return {title: shown[field] for field, title in COLUMNS.items() if field in ("address", "leads", "state")}


def _text(row: dict[str, Any]) -> dict[str, Any]:
    from assay.renter.money.amounts import moment

    return {
        "address": row["address"],
        "leads": f"{row['protocol']} port {row['port']} of the pod",
        "state": f"shut by the provider: {row['shut']}" if row["shut"] is not None else STATES[row["listening"]],
        "connections": row["connections"],
        "received": bytes_text(row["receivedBytes"]),
        "sent": bytes_text(row["sentBytes"]),
        "since": moment(row["openedAt"]),
    }
