"""Takes in what renters measured inside their leases, from those only who paid for one on the chain."""

from __future__ import annotations

import threading
from dataclasses import asdict

from assay.market.errors import CheckRefused
from assay.market.follow.index import MarketIndex
from assay.market.queries.pages import one
from assay.market.store.rows import Change
from assay.market.store.tables import checks, leases
from assay.protocol.signing import Domain
from assay.sheet.values import MAX_NUMBER
from assay.wire.checks import CheckError, SignedCheck, fault_of_times


class CheckBook:
    """One result a lease, the newest. `domain` is LeaseEscrow's. Whatever is kept follows from final blocks."""

    def __init__(self, index: MarketIndex, domain: Domain) -> None:
        self._index = index
        self._domain = domain
        self._taking = threading.Lock()  # two results of a lease at once are one after the other

    def take(self, signed: SignedCheck, now: int) -> None:
        """Keeps a result; `now` is the time of the newest indexed block. The same one again is no fault. Raises
        CheckRefused.
        """
        try:
            signer = signed.signer(self._domain)
        except CheckError as error:
            raise CheckRefused(str(error)) from None
        lease_id = signed.result.lease_id
        with self._taking:
            with self._index.engine.connect() as connection:
                # The index's own numbers: what is beyond them is no lease.
                lease = one(connection, leases, lease_id=lease_id) if lease_id < MAX_NUMBER else None
                kept = one(connection, checks, lease_id=lease_id) if lease is not None else None
            if lease is None or lease["renter"] is None:
                raise CheckRefused(f"no lease {lease_id} is in a final block")
            if signer != lease["renter"]:
                raise CheckRefused(
                    f"lease {lease_id} was opened by {lease['renter']}, the result is signed by {signer}"
                )
            if signer in (lease["provider"], lease["operator"]):
                raise CheckRefused(f"lease {lease_id} is its provider's own")
            if not int(lease["rate"]):
                raise CheckRefused(f"lease {lease_id} costs nothing")
            if fault := fault_of_times(signed.result, lease["start"], lease["stop"], now):
                raise CheckRefused(fault)
            if any(value >= MAX_NUMBER for value in asdict(signed.result).values()):
                raise CheckRefused("a value beyond what any machine has")
            if kept is not None and (kept["checked_at"] >= signed.result.checked_at):
                if kept["signature"] == signed.signature:
                    return
                raise CheckRefused(
                    f"a result of lease {lease_id} made at {kept['checked_at']} is kept: only a newer one replaces it"
                )
            row = {**signed.row(), "renter": signer}
            del row["lease_id"]
            if not self._index.apply_changes([Change("checks", (lease_id,), row)]):
                raise CheckRefused("the index is empty")
