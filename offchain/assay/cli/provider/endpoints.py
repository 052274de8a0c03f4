"""`assay provider endpoints`: what of this host's pods anybody can reach, and shutting it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show_rows
from assay.cli.provider.admin import existing
from assay.cli.provider.endings import finish
from assay.cli.provider.options import DataDir, Output
from assay.provider.errors import BadProviderSetting
from assay.provider.settings import ProviderSettings

if TYPE_CHECKING:
    from assay.provider.endpoints.overview import OpenedEndpoint

COLUMNS = {
    "leaseId": "lease", "public": "reached at", "leads": "leads to", "connections": "connections", "received": "in",
    "sent": "out", "shut": "shut", "ends": "ends",
}  # fmt: skip
FIELDS = (
    "leaseId", "protocol", "publicPort", "name", "port", "login", "connections", "receivedBytes", "sentBytes",
    "openedAt", "shut", "endsAt",
)  # fmt: skip
_FORM = re.compile(r"([1-9][0-9]{0,9})(?::(?:([0-9]{1,5})|([a-z0-9-]+(?:\.[a-z0-9-]+)+)))?", re.ASCII)


@with_options
def endpoints(
    shut: Annotated[
        str | None,
        typer.Option("--shut", help="LEASE, LEASE:PUBLIC_PORT or LEASE:NAME: nothing comes through any more"),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="why; the renter reads it")] = None,
    reopen: Annotated[
        str | None, typer.Option("--open", help="LEASE, LEASE:PUBLIC_PORT or LEASE:NAME: open it again")
    ] = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """List what of pods anybody can reach, by port or by name; shut what is abused, or all of a lease, with a reason.

    A shut lease cannot open others. The running daemon heeds it within two seconds, and connections break off.
    """

    async def work() -> list[OpenedEndpoint]:
        from assay.provider.endpoints.overview import overview
        from assay.provider.endpoints.records import ShutFile
        from assay.wire.pods import MAX_SHUT_REASON

        folder = existing(ProviderSettings.load({"data_dir": data_dir}).data_dir)
        if shut is not None and reopen is not None:
            raise BadProviderSetting("either --shut or --open, not both")
        if (shut is None) != (reason is None):
            raise BadProviderSetting("--shut LEASE[:PORT|:NAME] and --reason TEXT go together: the renter reads why")
        file = ShutFile(folder)
        if shut is not None and reason is not None:
            if not 0 < len(reason) <= MAX_SHUT_REASON or not reason.isprintable():
                raise BadProviderSetting(f"--reason: a line of 1 to {MAX_SHUT_REASON} letters")
            file.write(file.read().with_shut(*_which(shut, "--shut"), reason))
        if reopen is not None:
            file.write(file.read().with_open(*_which(reopen, "--open")))
        found, kept = overview(folder, time.time)
        if shut is not None:
            lease_id, which = _which(shut, "--shut")
            if not any(one.lease_id == lease_id and which in (None, one.record.key) for one in found):
                note(f"nothing of the kind is open now; it stays shut for lease {lease_id} until --open")
        for number, why in kept.leases.items():
            note(f"all endpoints of lease {number} are shut: {why}")
        return found

    rows = [endpoint_json(one) for one in finish(work())]
    if output is OutputFormat.table:
        rows = [_text(row) for row in rows]
    show_rows("endpoints", rows, COLUMNS, output, FIELDS)


def _which(text: str, option: str) -> tuple[int, int | str | None]:
    found = _FORM.fullmatch(text.lower())
    if found is None:
        raise BadProviderSetting(f"{option} {text[:40]!r}: expected LEASE, LEASE:PUBLIC_PORT or LEASE:NAME")
    return int(found[1]), int(found[2]) if found[2] else found[3]


def endpoint_json(one: OpenedEndpoint) -> dict[str, Any]:
    """An endpoint with exact values."""
    return {
        "leaseId": one.lease_id,
        "protocol": one.record.protocol,
        "publicPort": one.record.public,
        "name": one.record.name or None,
        "port": one.record.port,
        "login": one.record.login is not None,
        "connections": one.passed.connections,
        "receivedBytes": one.passed.received_bytes,
        "sentBytes": one.passed.sent_bytes,
        "openedAt": one.record.opened_at,
        "shut": one.shut,
        "endsAt": int(one.until),
    }


def _text(row: dict[str, Any]) -> dict[str, Any]:
    from assay.cli.renter.texts import bytes_text, moment

    return {
        **row,
        "public": row["name"] or f"{row['protocol']} {row['publicPort']}",
        "leads": f"port {row['port']} of the pod",
        "received": bytes_text(row["receivedBytes"]),
        "sent": bytes_text(row["sentBytes"]),
        "shut": row["shut"] or "",
        "ends": moment(row["endsAt"]),
    }
