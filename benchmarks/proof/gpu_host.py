"""All cards of a host at one instant, as a provider's daemon has them: a worker process a card, the whole work of a
class, then its memory probe over the whole window.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.proof.probe import layout
from assay.proof.probe.calibration import deadline_us
from assay.protocol.keccak import keccak
from assay.protocol.profile import NAMED, Profile
from assay.protocol.types import Seed
from assay.provider.cards.card_worker import CardWorker
from assay.provider.cards.process_link import Launch
from assay.provider.cards.provers import process_launcher, proofs_folder
from assay.provider.cards.tasks import Task, Urgency
from assay.provider.cards.worker_process import WorkerOrder
from assay.provider.devices.inventory import read_inventory
from assay.provider.measurement.classes import needed_mib

LOCAL_CHAIN = 31337


def dearest_fitting(memory_mib: int, shapes: Sequence[str]) -> Profile:
    """The first of these classes whose work and window a card of so much memory holds; without a window where none."""
    for shape in shapes:
        if needed_mib(NAMED[shape], "cublas") <= memory_mib:
            return NAMED[shape]
    return replace(NAMED[shapes[-1]], W=0)


def host(shapes: Sequence[str], folder: Path) -> dict[str, Any]:
    """Of all cards and slices of this machine, in a class that the smallest of them holds."""
    cards = [one for one in read_inventory().accelerators if one.kind == "gpu"]
    if not cards:
        raise RuntimeError("NVML lists no card")
    profile = dearest_fitting(min(card.memory_mib for card in cards), shapes)
    name = next(name for name, of in NAMED.items() if of.id == profile.id)
    launch = process_launcher(len(cards))
    found = asyncio.run(together([card.uuid for card in cards], "auto", profile, folder, launch))
    return {"class": name, "model": cards[0].model, **found}


async def together(cards: Sequence[str], engine: str, profile: Profile, folder: Path, launch: Launch) -> dict[str, Any]:
    """Seconds from the instant to each card's result root, and to its lane root, in the cards' order. What a card says
    of a failure stands in the place of its time.
    """
    workers = [
        CardWorker(WorkerOrder(card, engine, LOCAL_CHAIN, 2, str(proofs_folder(folder, card))), launch, place=card)
        for card in cards
    ]
    tasks = [Task(profile, Seed(bytes(32)), keccak(card.encode()), card) for card in cards]
    try:
        for worker in workers:
            with suppress(Exception):  # it says so again at its proof
                await worker.prepare(profile, Seed(bytes(32)))
        proofs = await _timed(
            [worker.prove(task, Urgency.CHALLENGE) for worker, task in zip(workers, tasks, strict=True)]
        )
        result: dict[str, Any] = {
            "engines": [worker.report.engine for worker in workers],
            "proofSeconds": proofs,
            "deadlineSeconds": profile.deadline_ms / 1000,
        }
        if profile.W:
            walks = await _timed(
                [worker.probe(task, bytes(32), Urgency.CHALLENGE) for worker, task in zip(workers, tasks, strict=True)]
            )
            reads = layout.lanes(profile) * layout.STEPS
            result |= {
                "windowMiB": layout.claimed_bytes(profile) >> 20,
                "probeSeconds": walks,
                "probeDeadlineSeconds": deadline_us(profile) / 1e6,
                "probeReadsPerSecond": [reads / one if isinstance(one, float) else None for one in walks],
            }
        return result
    finally:
        await asyncio.gather(*(worker.close() for worker in workers))


async def _timed(all_at_once: Sequence[Awaitable[Any]]) -> list[float | str]:
    began = time.perf_counter()

    async def one(asked: Awaitable[Any]) -> float | str:
        try:
            await asked
        except Exception as error:
            return str(error)
        return time.perf_counter() - began

    return list(await asyncio.gather(*map(one, all_at_once)))


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown: a row a card."""
    rows = ["", f"All cards of the host at one instant, `{found['class']}`, a process a card ({found['model']}):", ""]
    rows += ["| card | engine | proof | of a deadline of | probe | of a deadline of | its reads a second |"]
    rows += ["|---" * 7 + "|"]
    nothing = ["no window"] * len(found["proofSeconds"])
    walks, rates = found.get("probeSeconds", nothing), found.get("probeReadsPerSecond", nothing)
    for number, engine in enumerate(found["engines"]):
        rate, proof = rates[number], _seconds(found["proofSeconds"][number])
        rows.append(
            f"| {number} | {engine or 'none'} | {proof} | {found['deadlineSeconds']:.0f} s | "
            f"{_seconds(walks[number])} | {_seconds(found.get('probeDeadlineSeconds', 'no window'))} | "
            f"{f'{rate:.3g}' if isinstance(rate, float) else 'not measured'} |"
        )
    return rows


def _seconds(told: float | str) -> str:
    return f"{told:.2f} s" if isinstance(told, float) else told
