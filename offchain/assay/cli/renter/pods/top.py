"""`assay top`: what a lease's pod and cards use, live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import OutputFormat, note, show
from assay.cli.renter.options import Connection, LeaseId, Output, renter_command

if TYPE_CHECKING:
    from rich.table import Table

    from assay.wire.pods import UseBody, UseSample

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LOOK_S = 2.0
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
GIB, MIB = 1 << 30, 1 << 20


@renter_command(commands, "top")
async def top(
    lease: LeaseId,
    connection: Connection,
    once: Annotated[bool, typer.Option("--once", help="print once and exit")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, once")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Show what a lease's pod and cards use, as the provider measures it: now and over the last hour."""
    from rich.console import Console
    from rich.live import Live

    from assay.renter.errors import Unreachable

    output = OutputFormat.json if as_json else output
    async with connection.renter() as renter:
        session = await renter.session(lease)
        before = await session.use()
        if output is not OutputFormat.table or once:
            await asyncio.sleep(1)  # two looks make a speed
            used = await session.use()
            if output is not OutputFormat.table:
                return show(use_json(before, used), output)
            return Console().print(use_table(before, used))
        with Live(use_table(before, before), screen=False, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    used = await session.use()
                except Unreachable as error:
                    note(f"{error}; retrying in  {LOOK_S:g} s")
                    continue
                live.update(use_table(before, used), refresh=True)
                before = used


def use_json(before: UseBody, used: UseBody) -> dict[str, Any]:
    """All that the provider told, and speeds."""
    return {**used.to_json(), "speeds": speeds(before.now, used.now)}


def speeds(before: UseSample | None, now: UseSample | None) -> dict[str, float] | None:
    """Cores at work, and bytes a second each way, between two samples of one start of a pod; else None."""
    if before is None or now is None or now.at <= before.at or now.cpu_seconds < before.cpu_seconds:
        return None
    seconds = now.at - before.at
    return {
        "cores": round((now.cpu_seconds - before.cpu_seconds) / seconds, 3),
        "receivedBytes": max(0.0, round((now.received_bytes - before.received_bytes) / seconds, 1)),
        "sentBytes": max(0.0, round((now.sent_bytes - before.sent_bytes) / seconds, 1)),
    }


def sparkline(values: Sequence[float], most: float) -> str:
    """The newest values as bars; a full one is `most`, or the largest where that is 0."""
    shown = values[-WIDTH:]
    full = most or max(shown, default=0.0)
    return "".join(
        BARS[min(len(BARS) - 1, int(len(BARS) * max(0.0, one) / full))] if full else BARS[0] for one in shown
    )


def thinned(values: Sequence[float]) -> list[float]:
    """At most as many values as there is room for, each the mean of its neighbours."""
    if len(values) <= WIDTH:
        return list(values)
    edges = [n * len(values) // WIDTH for n in range(WIDTH + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]


def use_table(before: UseBody, used: UseBody) -> Table:
    """For people."""
    from rich.table import Table

    table = Table(title=f"lease {used.lease_id}", title_justify="left", box=None, pad_edge=False)
    for name in ("", "now", "of", "last hour"):
        table.add_column(name, justify="left", no_wrap=True)
    now, share, speed = used.now, used.share, speeds(before.now, used.now)
    if now is None:
        table.add_row("pod", "does not run", "", "")
    else:
        made = [speeds(a, b) for a, b in pairwise(used.hour)]
        cores, received, sent = (
            [one[name] for one in made if one is not None] for name in ("cores", "receivedBytes", "sentBytes")
        )
        has = (share.cores, share.memory_bytes, share.disk_bytes) if share else (0, 0, 0)

        def hour(values: Sequence[float], most: float = 0.0) -> str:
            return sparkline(thinned(values), most)

        def past(value: Callable[[UseSample], float]) -> list[float]:
            return [value(one) for one in used.hour]

        def rate(name: str) -> str:
            return f"{speed[name] * 8 / 1e6:,.1f} Mbit/s" if speed else "–"

        table.add_row("cores", f"{speed['cores']:.2f}" if speed else "–", str(has[0] or ""), hour(cores, has[0]))
        table.add_row("memory", _size(now.memory_bytes), _size(has[1]), hour(past(lambda s: s.memory_bytes), has[1]))
        table.add_row("disk", _size(now.disk_bytes), _size(has[2]), hour(past(lambda s: s.disk_bytes), has[2]))
        table.add_row("network in", rate("receivedBytes"), "", hour(received))
        table.add_row("network out", rate("sentBytes"), "", hour(sent))
        table.add_row("processes", str(now.processes), str(share.processes) if share else "", "")
    for card in used.cards:
        told = [
            "" if card.load is None else f"{card.load} %",
            "" if card.temperature is None else f"{card.temperature} °C",
            "" if card.power is None else f"{card.power:.0f} W",
        ]
        total = "" if card.memory_total is None else _size(card.memory_total)
        memory = "" if card.memory_used is None else f"{_size(card.memory_used)} of {total}"
        table.add_row(f"card {card.device_id[:12]}", ", ".join(filter(None, told)) or "tells nothing", memory, "")
    return table


def _size(count: int) -> str:
    return f"{count / GIB:,.1f} GiB" if count >= GIB else f"{count / MIB:,.0f} MiB" if count else ""
