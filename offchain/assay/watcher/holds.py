"""Slashes that this watcher brought about: on hold at first, then made final, and the bounty collected."""

from __future__ import annotations

from enum import IntEnum

import structlog

from assay.chain.blocks import Block
from assay.chain.client import Chain, ContractCall
from assay.chain.errors import Reverted
from assay.chain.events import read_events
from assay.chain.sender import Sender
from assay.watcher.notebook import Notebook

CONTRACT = "StakeManager"
log = structlog.get_logger()


class HeldStatus(IntEnum):
    """As in IStakeManager."""

    NONE = 0
    HELD = 1
    SETTLED = 2
    RESTORED = 3


class HeldSlashes:
    """Follows the slashes whose bounty is this watcher's."""

    def __init__(self, chain: Chain, sender: Sender, notebook: Notebook) -> None:
        self._chain, self._sender, self._notebook = chain, sender, notebook

    async def follow(self, final: Block) -> None:
        """Notes those that are new up to a final block. Raises ChainError."""
        first = self._notebook.holds_read() or self._chain.deployment.block
        if first > final.number:
            return
        own = {"reporter": [self._sender.address]}
        for event in await read_events(self._chain, CONTRACT, ("SlashHeld",), first, final, where=own):
            if event.args["reporter"] == self._sender.address:
                self._notebook.held(event.args["heldId"], event.args["heldUntil"], event.args["bounty"])
                log.info("slash on hold", held=event.args["heldId"], until=event.args["heldUntil"])
        self._notebook.note_holds_read(final.number + 1)

    async def settle(self) -> int:
        """Makes final what was held long enough; gives how many bounties that earned. Raises ChainError."""
        head = await self._chain.head()
        earned = 0
        for held_id in self._notebook.held_until(head.timestamp):
            if await self._settled(held_id):
                earned += 1
        return earned

    async def _settled(self, held_id: int) -> bool:
        slash = await self._chain.call(CONTRACT, "heldSlash", held_id, at="latest")
        if slash.status == HeldStatus.HELD:
            try:
                await self._sender.send(
                    ContractCall(CONTRACT, "settleSlash", (held_id,)), label="settleSlash", purpose=f"settle:{held_id}"
                )
            except Reverted as error:
                log.info("slash not settled", held=held_id, reason=str(error))
                return False
            log.info("slash settled", held=held_id, bounty=str(slash.bounty))
        elif slash.status == HeldStatus.RESTORED:
            log.warning("slash was given back to its owner", held=held_id, owner=slash.owner)
        self._notebook.close_hold(held_id)
        return bool(slash.status != HeldStatus.RESTORED)

    async def collect(self) -> int:
        """Pays this watcher's bounties out to it; gives the amount in base units. Raises ChainError."""
        due: int = await self._chain.call(CONTRACT, "bountyOf", self._sender.address, at="latest")
        if due:
            await self._sender.send(
                ContractCall(CONTRACT, "collectBounty", (self._sender.address,)), label="collectBounty"
            )
            log.info("bounty collected", amount=str(due))
        return due
