"""What renters measured inside their leases, through a market: each result held to the chain before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from assay.chain.contracts.leases import read_lease, read_offer
from assay.chain.errors import ChainError
from assay.chain.rpc.client import Chain
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.renter.errors import BadInput
from assay.renter.market.market_client import MarketClient
from assay.sheet.testimony import combined, newest_of_each
from assay.sheet.values import Sheet
from assay.wire.checks import CheckError, SignedCheck, fault_of_times

MAX_LOOKED_AT = 20  # each costs reads of the chain


class RenterTestimony:
    """Reads only. `domain` is LeaseEscrow's."""

    def __init__(self, chain: Chain, domain: Domain, clock: Callable[[], float]) -> None:
        self._chain, self._domain, self._clock = chain, domain, clock

    async def of(self, market: MarketClient, device_ids: Sequence[DeviceId]) -> Sheet:
        """What renters of exactly these devices say together: of the newest results that a market shows those whose
        signer has opened the lease, and paid for enough of it. Raises Unreachable."""
        shown = (await market.checks(device_ids[0]))[:MAX_LOOKED_AT]
        counted = await asyncio.gather(*(self._renter_of(one, device_ids) for one in shown))
        pairs = [(renter, one.result) for renter, one in zip(counted, shown, strict=True) if renter]
        return combined(newest_of_each(pairs))

    async def _renter_of(self, signed: SignedCheck, device_ids: Sequence[DeviceId]) -> str:
        """Whose word it is; empty where it does not count."""
        result = signed.result
        try:
            signer = signed.signer(self._domain)
            lease = await read_lease(self._chain, result.lease_id)
            if lease.renter != signer or signer == lease.provider or not lease.rate:
                return ""
            offer = await read_offer(self._chain, lease)
        except (CheckError, ChainError, BadInput):
            return ""
        same = sorted(offer.device_ids) == sorted(device_ids)
        counts = same and not fault_of_times(result, lease.start, lease.stop, int(self._clock()))
        return signer if counts else ""
