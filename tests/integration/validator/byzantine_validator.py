"""A validator that breaks the rules with its own key: `python byzantine_validator.py KIND` and then the options of
`assay validator run`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from assay.chain.sender import Sender, Step
from assay.cli.app import main
from assay.protocol.flags import Flag
from assay.validator.gossip import Gossiper
from assay.validator.phases import observing, sealing
from assay.validator.wire import InstantMessage, InventoryMessage


def lies() -> None:
    """Says of every device the opposite of what it saw."""
    honest = observing.observations

    def opposite(*arguments):
        from dataclasses import replace

        flip = {int(Flag.PASSED): int(Flag.BAD_OPENING)}
        return tuple(
            replace(leaf, flags=flip.get(leaf.flags, 1), elapsed_us=1, uptime_bps=0) for leaf in honest(*arguments)
        )

    observing.observations = opposite


def stalls() -> None:
    """Takes part, and never leads."""

    async def nothing(*arguments) -> None:
        await asyncio.sleep(0.2)

    sealing._lead = nothing


def garbage() -> None:
    """Sends its instants and inventories with broken signatures."""
    honest = Gossiper.tell

    async def broken(self, accounts, path, message, deadline) -> None:
        if isinstance(message, (InstantMessage, InventoryMessage)):
            message = message.model_copy(update={"signature": bytes([1]) * 64})
        await honest(self, accounts, path, message, deadline)

    Gossiper.tell = broken


def dies(step: str) -> None:
    """Is killed when its first transaction reaches a step; a marker file lets it live the next time."""
    marker = Path(os.environ["ASSAY_TEST_MARKER"])
    honest = Sender.__init__

    def watched(self, *arguments, **options) -> None:
        honest(self, *arguments, **options)

        def on_step(reached: Step, intent) -> None:
            if reached.value == step and not marker.exists():
                marker.write_text(step)
                os.kill(os.getpid(), signal.SIGKILL)

        self._on_step = on_step

    Sender.__init__ = watched


KINDS = {"lies": lies, "stalls": stalls, "garbage": garbage}

if __name__ == "__main__":
    kind = sys.argv[1]
    if kind.startswith("dies:"):
        dies(kind.split(":")[1])
    else:
        KINDS[kind]()
    main(["validator", "run", *sys.argv[2:]])
