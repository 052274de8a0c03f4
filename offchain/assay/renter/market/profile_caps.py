"""What profiles let a device score: without it nothing can be said of what a card makes of what it should."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from assay.chain.contracts.profiles import read_profile
from assay.chain.rpc.client import Chain
from assay.renter.market.listing import Listing


class ProfileCaps:
    """Profiles never change: each is read once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._most: dict[int, int] = {}

    async def expected(self, found: Sequence[Listing]) -> list[Listing]:
        """The listings with what is expected of their models under their profiles; a node of several classes is held to
        no cap. Raises ChainError."""
        wanted = {one.profile for one in found if one.profile and one.named.expected_gops} - self._most.keys()
        for profile in await asyncio.gather(*(read_profile(self._chain, number) for number in sorted(wanted))):
            self._most[profile.id] = profile.max_gops
        return [replace(one, expected_gops=self._of(one)) for one in found]

    def _of(self, one: Listing) -> int:
        expected, most = one.named.expected_gops, self._most.get(one.profile, 0)
        return min(expected, most) if most else expected
