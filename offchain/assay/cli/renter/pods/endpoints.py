"""`assay expose` and `assay endpoints`: ports of a lease's pod that anybody can call."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command
from assay.cli.renter.texts import bytes_text

if TYPE_CHECKING:
    from assay.renter.session.endpoint_logins import MadeLogin
    from assay.renter.session.provider_session import ProviderSession
    from assay.wire.pods import EndpointBody, EndpointsBody

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LOOK_S = 1.0
HTTPS_PORT = 443
COLUMNS = {
    "address": "address", "leads": "leads to", "state": "state", "connections": "connections", "received": "in",
    "sent": "out", "since": "since",
}  # fmt: skip
FIELDS = (
    "address", "protocol", "port", "publicPort", "listening", "login", "certificate", "shut", "connections",
    "receivedBytes", "sentBytes", "openedAt",
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
    https: Annotated[bool, typer.Option("--https", help="by HTTPS, at a name of the provider's")] = False,
    domain: Annotated[
        str | None, typer.Option("--domain", help="a name of yours instead, which you prove; with --https")
    ] = None,
    key: Annotated[bool, typer.Option("--key", help="let in only who has a key, which is shown once; with --https")] = (
        False
    ),
    login: Annotated[
        str | None, typer.Option("--login", help="the same with a user of this name and a password; with --https")
    ] = None,
    close: Annotated[bool, typer.Option("--close", help="close it again")] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="seconds to wait for something in the pod to listen there", min=0)
    ] = 30.0,
    output: Output = OutputFormat.table,
) -> None:
    """Have anybody reach a port of a lease's pod, until the lease is over; what listens there must do so on 0.0.0.0.

    Without --https everything goes through as it is sent, and there is no login before it but the one that your
    program asks for. With it the provider ends TLS, so reads what goes through, and may ask for a key or a login first.
    """
    from assay.renter.session.endpoint_logins import made_login
    from assay.wire.pods import ExposeBody

    protocol = _protocol(udp, https, domain, key, login, public_port)
    async with connection.renter() as renter:
        session = await renter.session(lease)
        if close:
            return await _close(session, lease, port, protocol, domain, output)
        made = made_login(login) if key or login is not None else None
        wanted = ExposeBody(
            port=port, protocol=protocol, public_port=public_port, domain=domain, login=made.login if made else None
        )
        shown = await session.expose(wanted)
        row = {**endpoint_json(session, shown), **({} if made is None else _secret(made))}
        show(row if output is not OutputFormat.table else _where(row), output)
        if shown.shut is not None:
            note(f"the provider has shut it: {shown.shut}")
        else:
            await _until_reached(session, lease, shown, wait)


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


def _protocol(
    udp: bool, https: bool, domain: str | None, key: bool, login: str | None, public_port: int | None
) -> Literal["tcp", "udp", "https"]:
    from assay.renter.errors import BadInput

    if not https and (domain is not None or key or login is not None):
        raise BadInput("--domain, --key and --login need --https")
    if https and (udp or public_port is not None):
        raise BadInput("--https has a name, and neither --udp nor --public-port")
    if key and login is not None:
        raise BadInput("either --key or --login, not both")
    if login is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", login):
        raise BadInput(f"--login {login[:40]!r}: expected 1 to 64 of A-Z a-z 0-9 . _ -")
    return "https" if https else "udp" if udp else "tcp"


def _secret(made: MadeLogin) -> dict[str, str]:
    """What callers send; nobody can be asked for it again."""
    return {"key": made.key} if made.login.bearer else {"user": made.login.user, "password": made.password}


async def _close(
    session: ProviderSession, lease: int, port: int, protocol: str, domain: str | None, output: OutputFormat
) -> None:
    from assay.renter.errors import BadInput

    listed = (await session.endpoints()).endpoints
    known = [one for one in listed if (one.protocol, one.port) == (protocol, port) and domain in (None, one.host)]
    if not known:
        raise BadInput(
            f"{protocol} port {port} of lease {lease} is not exposed; `assay endpoints {lease}` lists what is"
        )
    for one in known:
        if one.protocol == "https":
            left = await session.close_name(str(one.host))
        else:
            left = await session.close_endpoint(one.protocol, one.public_port)
    note(f"{protocol} port {port} of lease {lease} is closed")
    _show_all(session, left, output)


async def _until_reached(session: ProviderSession, lease: int, shown: EndpointBody, wait: float) -> None:
    """Says what is missing, and stays until it is there or time is up: the endpoint stays open either way."""
    said, loop = _missing(lease, shown), asyncio.get_running_loop()
    if said is None:
        return
    note(said + (f"; waiting for up to {wait:g} s, the endpoint stays open" if wait else ""))
    until = loop.time() + wait
    while loop.time() < until:
        await asyncio.sleep(LOOK_S)
        found = [one for one in (await session.endpoints()).endpoints if _place(one) == _place(shown)]
        if not found:
            return note("the endpoint was closed meanwhile")
        if (left := _missing(lease, found[0])) is None:
            return note("it listens: the address works")
        if left != said:
            said = left
            note(said)


def _place(shown: EndpointBody) -> tuple[str, int, str | None]:
    return shown.protocol, shown.public_port, shown.host if shown.protocol == "https" else None


def _missing(lease: int, shown: EndpointBody) -> str | None:
    """What keeps callers from being answered, None where nothing does."""
    what = f"{'udp' if shown.protocol == 'udp' else 'tcp'} port {shown.port} of the pod"
    if shown.listening != "yes":
        return {
            "no": f"nobody listens on {what} yet",
            "loopback": f"what listens on {what} does so on 127.0.0.1 only: have it listen on 0.0.0.0",
            "stopped": f"the pod of lease {lease} does not run",
        }[shown.listening]
    if shown.certificate == "waiting":
        return f"there is no certificate for {shown.host} yet"
    return None


def _show_all(session: ProviderSession, shown: EndpointsBody, output: OutputFormat) -> None:
    rows = [endpoint_json(session, one) for one in shown.endpoints]
    if output is OutputFormat.table:
        rows = [_text(row) for row in rows]
    show_rows("endpoints", rows, COLUMNS, output, FIELDS)


def endpoint_json(session: ProviderSession, shown: EndpointBody) -> dict[str, Any]:
    """An endpoint, with the address at which it is reached."""
    from assay.network.origins import parse_origin

    told = {name: value for name, value in shown.to_json().items() if name != "host"}
    if shown.protocol == "https":
        port = "" if shown.public_port == HTTPS_PORT else f":{shown.public_port}"
        return {"address": f"https://{shown.host}{port}", **told}
    host = shown.host or parse_origin(session.endpoint.url).host
    host = f"[{host}]" if ":" in host else host
    return {"address": f"{host}:{shown.public_port}", **told}


def _where(row: dict[str, Any]) -> dict[str, Any]:
    shown = _text(row)
    told = {title: shown[field] for field, title in COLUMNS.items() if field in ("address", "leads", "state")}
    return {**told, **{name: row[name] for name in ("user", "password", "key") if name in row}}


def _text(row: dict[str, Any]) -> dict[str, Any]:
    from assay.renter.money.amounts import moment

    state = STATES[row["listening"]]
    if row["listening"] == "yes" and row.get("certificate") == "waiting":
        state = "no certificate yet"
    if row.get("login") is not None:
        state += ", with a key" if row["login"] == "key" else f", for {row['login']}"
    return {
        "address": row["address"],
        "leads": f"{'tcp' if row['protocol'] == 'https' else row['protocol']} port {row['port']} of the pod",
        "state": f"shut by the provider: {row['shut']}" if row["shut"] is not None else state,
        "connections": row["connections"],
        "received": bytes_text(row["receivedBytes"]),
        "sent": bytes_text(row["sentBytes"]),
        "since": moment(row["openedAt"]),
    }
