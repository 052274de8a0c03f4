"""The rehearsal: one network, drill after drill, and what was seen of each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assay.devnet.network import NetworkPlan, network_folder
from assay.devnet.progress import Progress
from assay.devnet.rehearsal import drills
from assay.devnet.rehearsal.stage import Stage
from assay.devnet.rehearsal.sunset import migration, sunset
from assay.devnet.starting import start_network

Drill = Callable[[Stage], Awaitable[str]]
DRILLS: dict[str, Drill] = {
    "first epoch": drills.first_epoch,
    "a seat killed": drills.seat_killed,
    "all seats killed": drills.all_seats_killed,
    "a reorganisation": drills.reorganisation,
    "entry paused": drills.entry_paused,
    "rewards vetoed": drills.rewards_vetoed,
    "a decision of governance": drills.decision_of_governance,
    "sunset": sunset,
    "migration": migration,
}


@dataclass(frozen=True)
class Rehearsed:
    """One drill: what was seen, and how long it took."""

    drill: str
    seen: str
    seconds: float


async def run_rehearsal(plan: NetworkPlan, out: Path, names: Sequence[str]) -> None:
    """Runs these drills in turn, prints what was seen, and writes it to `out`. Raises DevnetError at the first that
    did not go as it must."""
    console = Console()
    progress = Progress(console)
    rehearsed: list[Rehearsed] = []
    with network_folder(plan) as (workspace, processes):
        network = await start_network(plan, workspace, processes, progress)
        stage = Stage(network, progress)
        for name in names:
            began = progress.seconds
            with console.status(name):
                seen = await DRILLS[name](stage)
            rehearsed.append(Rehearsed(name, seen, round(progress.seconds - began, 1)))
            progress.done(f"{name}: {seen}")
    table = Table(title=f"Rehearsal on {plan.node}", title_justify="left")
    for column in ("drill", "seen", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for one in rehearsed:
        table.add_row(one.drill, one.seen, f"{one.seconds:.0f}")
    console.print(table)
    _write(out, {"node": plan.node, "epochSeconds": plan.epoch_seconds, "drills": [asdict(one) for one in rehearsed]})
    console.print(f"[green]all of it went as it must[/] in {progress.seconds:.0f} s; the same as JSON: {out}")


def _write(out: Path, result: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2))
