"""A validator that breaks the rules with its own key: `python byzantine_validator.py KIND` and then the options of
`assay validator run`."""

from __future__ import annotations

import asyncio
import sys

from assay.cli.app import main
from assay.protocol.leaves import Flag
from assay.validator.agreement.rounds import Rounds
from assay.validator.peers.gossip import Gossiper
from assay.validator.phases.observing import Observing
from assay.wire.gossip import InstantMessage, InventoryMessage


def lies() -> None:
    """Says of every device the opposite of what it saw."""
    honest = Observing.observations

    def opposite(*arguments):
        from dataclasses import replace

        flip = {int(Flag.PASSED): int(Flag.BAD_OPENING)}
        return tuple(
            replace(leaf, flags=flip.get(leaf.flags, 1), elapsed_us=1, uptime_bps=0) for leaf in honest(*arguments)
        )

    Observing.observations = opposite


def stalls() -> None:
    """Takes part, and never leads."""

    honest = Rounds._lead

    async def nothing(self, *arguments) -> None:
        if self.subject.terms.kind == "report":
            return await honest(self, *arguments)
        await asyncio.sleep(0.2)

    Rounds._lead = nothing


def garbage() -> None:
    """Sends its instants and inventories with broken signatures."""
    honest = Gossiper.tell

    async def broken(self, accounts, path, message, deadline) -> None:
        if isinstance(message, (InstantMessage, InventoryMessage)):
            message = message.model_copy(update={"signature": bytes([1]) * 64})
        await honest(self, accounts, path, message, deadline)

    Gossiper.tell = broken


KINDS = {"lies": lies, "stalls": stalls, "garbage": garbage}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
    main(["validator", "run", *sys.argv[2:]])
