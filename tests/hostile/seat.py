"""A hostile seat: `python -m hostile.seat SEED FOLDER`, see `command`, and then the options of `assay validator run`.

A real validator whose messages, answers and downloads are spoiled by tricks that are drawn from the seed. Nothing here
is provable against it: it stays for the whole run. FOLDER/seat-tricks.json counts what it has played.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .tricks import Played, drawn_from

SHARE = 0.4  # of what it does is spoiled
ENDPOINTS = (
    "https://[",
    "http://a:99999",
    "http://127.0.0.1:1",
    "x" * 256,
    "http://127.0.0.1:22/x?y",
    "https://localhost",
)
DOWNLOADS = ("/v1/content/", "/v1/epochs/")


class Dice:
    """Whether a trick is played now."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.draws: random.Random = drawn_from(seed, "seat")
        self.played = Played("seat")
        self._file = folder / "seat-tricks.json"

    def plays(self, trick: str) -> bool:
        if self.draws.random() >= SHARE:
            return False
        self.played.tricks[trick] += 1
        self._file.write_text(json.dumps(self.played.tricks))
        return True


def lying_observations(dice: Dice) -> None:
    """Says of every device that passed that it opened wrongly, and of all that they were never there."""
    from assay.protocol.leaves import Flag
    from assay.validator.phases.observing import Observing

    honest = Observing.observations

    def opposite(self: Any, *arguments: Any) -> Any:
        leaves = honest(self, *arguments)
        if not dice.plays("lying_observations"):
            return leaves
        return tuple(
            replace(
                leaf,
                flags=int(Flag.BAD_OPENING) if leaf.flags & Flag.PASSED else leaf.flags,
                elapsed_us=1,
                uptime_bps=0,
            )
            for leaf in leaves
        )

    Observing.observations = opposite  # type: ignore[method-assign]


def stalling_leader(dice: Dice) -> None:
    """Has the turn, and lets it pass."""
    from assay.validator.agreement.rounds import Rounds

    honest = Rounds._lead

    async def nothing(self: Any, round_: int) -> None:
        if not dice.plays("stalling_leader"):
            return await honest(self, round_)
        return await asyncio.sleep(0.2)

    Rounds._lead = nothing  # type: ignore[method-assign]


def refused_signatures(dice: Dice) -> None:
    """Answers a leader with another signature than its own, or with none."""
    from assay.validator.agreement.rounds import Rounds
    from assay.validator.errors import Refused

    honest = Rounds.answer

    async def spoiled(self: Any, proposal: Any) -> bytes:
        signature = await honest(self, proposal)
        if dice.plays("refused_signatures"):
            if dice.draws.random() < 0.5:
                raise Refused(409, "caf\u00e9 \x1b[2J" * 20)
            return dice.draws.randbytes(64)
        return signature

    Rounds.answer = spoiled  # type: ignore[method-assign]


def spoiled_messages(dice: Dice) -> None:
    """Messages with broken signatures, to some seats only, late, or many times over."""
    from assay.validator.peers.gossip import Gossiper

    honest = Gossiper.tell

    async def tell(self: Any, accounts: Any, path: str, message: Any, deadline: float) -> None:
        if dice.plays("broken_signature"):
            message = message.model_copy(update={"signature": dice.draws.randbytes(64)})
        if dice.plays("some_seats_only"):
            accounts = list(accounts)[: dice.draws.randrange(len(accounts) + 1)]
        if dice.plays("late_message"):
            await asyncio.sleep(dice.draws.uniform(0, 3))
        times = dice.draws.randrange(2, 30) if dice.plays("many_times") else 1
        for _ in range(times):
            await honest(self, accounts, path, message, deadline)

    Gossiper.tell = tell  # type: ignore[method-assign]


class SpoiledDownloads:
    """What others fetch here: byte by byte, cut off, other bytes, never, without an end."""

    def __init__(self, app: ASGIApp, dice: Dice) -> None:
        self._app, self._dice = app, dice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = scope["type"] != "http" or not scope["path"].startswith(DOWNLOADS)
        if kept or not self._dice.plays("spoiled_download"):
            return await self._app(scope, receive, send)
        draws = self._dice.draws
        how = draws.choice(["trickled", "other_bytes", "never", "endless", "error", "nested"])
        self._dice.played.tricks[f"download_{how}"] += 1
        if how == "never":
            return await asyncio.sleep(20)
        if how in ("error", "nested", "endless"):
            status = draws.choice([301, 404, 429, 500]) if how == "error" else 200
            headers = [(b"content-type", b"application/json"), (b"location", b"http://127.0.0.1:1/\xe9")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            for _ in range(1_000 if how == "endless" else 1):
                await send({"type": "http.response.body", "body": b"[" * 100_000, "more_body": True})
            return await send({"type": "http.response.body", "body": b""})
        return await self._app(scope, receive, self._sending(send, how))

    def _sending(self, send: Send, how: str) -> Send:
        async def spoiled(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or not body:
                return await send(message)
            if how == "other_bytes":
                return await send({**message, "body": bytes([body[0] ^ 1]) + body[1:]})
            for place in range(min(20, len(body) - 1)):
                await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
                await asyncio.sleep(0.5)
            raise ConnectionResetError("cut off by the hostile seat")

        return spoiled


def spoiled_downloads(dice: Dice) -> None:
    from assay.validator import process

    honest = process.create_app
    process.create_app = lambda services: SpoiledDownloads(honest(services), dice)  # type: ignore[assignment,return-value]


TRICKS: dict[str, Callable[[Dice], None]] = {
    one.__name__: one
    for one in (lying_observations, stalling_leader, refused_signatures, spoiled_messages, spoiled_downloads)
}
Announce = Callable[[str], Awaitable[None]]


async def odd_addresses(announce: Announce, own: str, seed: int) -> None:
    """Announces what is no address, and then its own again, until cancelled."""
    draws = drawn_from(seed, "seat's address")
    while True:
        await asyncio.sleep(draws.uniform(5, 15))
        await announce(draws.choice(ENDPOINTS))
        await asyncio.sleep(draws.uniform(3, 8))
        await announce(own)


def command(seed: int, folder: Path) -> list[str]:
    """How it is started, but for the options of `assay validator run`."""
    path = f"PYTHONPATH={Path(__file__).resolve().parents[1]}:{os.environ.get('PYTHONPATH', '')}"
    return ["env", path, sys.executable, "-m", "hostile.seat", str(seed), str(folder)]


def main() -> None:
    from assay.cli.app import main as assay

    dice = Dice(int(sys.argv[1]), Path(sys.argv[2]))
    for trick in TRICKS.values():
        trick(dice)
    assay(["validator", "run", *sys.argv[3:]])


if __name__ == "__main__":
    main()
