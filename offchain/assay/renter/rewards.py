"""What an account has earned: lines of the reward trees that validators serve and the chain's roots prove."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from assay.chain.blocks import Block
from assay.chain.client import Chain, ContractCall
from assay.chain.rewards import RewardReport, claim_call, read_claimable_at, read_claimed, read_reward_report
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.renter.errors import BadInput, Unreachable
from assay.renter.http_client import HttpClient
from assay.renter.validators import Validators
from assay.wire import paths
from assay.wire.lines import Earned, ReportLineError, parse_reward_line

AT_ONCE = 16


@dataclass(frozen=True)
class Rewards:
    """An account's network rewards; amounts in base units of the network token, times in seconds since 1970.

    `newest` is its line of the newest report that somebody serves; `claimable` the one that `claim` takes now, None
    where there is none, and `from_` when `newest` becomes that. Both are cumulative.
    """

    account: str
    claimed: int
    newest: tuple[int, Earned] | None = None
    claimable: tuple[int, Earned] | None = None
    from_: int = 0

    @property
    def earned(self) -> int:
        """All that it ever earned, as far as reports say."""
        return max(self.claimed, self.newest[1].leaf.cumulative if self.newest else 0)

    @property
    def due(self) -> int:
        """What a claim would pay now."""
        return max(0, self.claimable[1].leaf.cumulative - self.claimed) if self.claimable else 0

    @property
    def waiting(self) -> int:
        """What the claim delay still holds back."""
        return self.earned - self.claimed - self.due

    def claim(self, receiver: str) -> ContractCall:
        """`claim` of all that is due; the account itself must send it. Raises BadInput where nothing is due."""
        if self.claimable is None or not self.due:
            raise BadInput(f"nothing is due to {self.account} now; `assay rewards show` says what will be, and when")
        return claim_call(*self.claimable, receiver)


class RewardFinder:
    """Reads only."""

    def __init__(self, chain: Chain, validators: Validators) -> None:
        self._chain = chain
        self._validators = validators

    async def find(self, account: str) -> Rewards:
        """What an account has, from the newest report backwards to the first whose tree can be claimed by.

        Trees are cumulative: nothing is lost by a tree that nobody serves, or that was vetoed.
        """
        head, final = await asyncio.gather(self._chain.head(), self._chain.finalised())
        claimed = await read_claimed(self._chain, account, head)
        found = Rewards(account, claimed)
        async for report in self._reports(final):
            line = await self._line(report, account, final)
            if line is None:
                continue
            ripe = await read_claimable_at(self._chain, report.epoch, head)
            newest, from_ = found.newest or (report.epoch, line), found.from_ or ripe
            found = Rewards(account, claimed, newest, (report.epoch, line) if ripe <= head.timestamp else None, from_)
            if found.claimable:
                break
        return found

    async def _reports(self, block: Block) -> AsyncIterator[RewardReport]:
        """Those that the oracle still holds and nobody has vetoed, newest first, some read at once."""
        current = int(await self._chain.call("EpochOracle", "currentEpoch", at=block))
        kept = int(await self._chain.call("EpochOracle", "ringSize", at=block))
        epochs = range(current, max(-1, current - kept), -1)
        for at in range(0, len(epochs), AT_ONCE):
            reading = (read_reward_report(self._chain, epoch, block) for epoch in epochs[at : at + AT_ONCE])
            for report in await asyncio.gather(*reading):
                if report is not None and not report.vetoed:
                    yield report

    async def _line(self, report: RewardReport, account: str, block: Block) -> Earned | None:
        def line(entry: dict[str, Any], url: str) -> Earned:
            try:
                earned = parse_reward_line(entry, report.root)
            except ReportLineError as error:
                raise Unreachable(f"{url}: {error}") from None
            if earned.leaf.account.lower() != account.lower():
                raise Unreachable(f"{url}: answered another account's line")
            return earned

        try:
            return await self._validators.first(paths.epoch_reward(report.epoch, account), line, block)
        except Unreachable:
            # An account that is new to the newest tree has no line in older ones.
            return None


async def find_rewards(chain: Chain, account: str, allow_private: bool | None = None) -> Rewards:
    """As `RewardFinder.find`, with connections of its own."""
    http = HttpClient(Client.over_network(allow_private=private_allowed(chain.chain_id, allow_private)))
    try:
        return await RewardFinder(chain, Validators(chain, http)).find(account)
    finally:
        await http.close()
