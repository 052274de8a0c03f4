"""What the contracts would slash, looked for in everything that the validators of a simulation signed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from assay.protocol.leaves import Flag
from assay.protocol.messages import Commitment, EpochReport, Observations, Seal
from assay.protocol.signing import Domain, signed_by
from assay.validator.storage.store import Store
from assay.wire.gossip import BatchMessage
from assay.wire.leaves import RewardsBody, SealedBody


class RecordedSigner:
    """A signer whose statements are kept for judgement, over restarts too."""

    def __init__(self, signer: Any, said: list[Any]) -> None:
        self._signer, self._said = signer, said

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._signer, name)
        if name not in ("sign_seal", "sign_observations", "sign_report"):
            return method

        async def signed(message: Any) -> bytes:
            signature: bytes = await method(message)
            self._said.append(message)
            return signature

        return signed


def place_of(message: Any) -> tuple[Any, ...]:
    """What two statements must not share (PROTOCOL section 7)."""
    if isinstance(message, Seal):
        return "seal", message.epoch, message.set_id, message.round, message.epoch_seed
    if isinstance(message, Observations):
        return "observations", message.epoch, message.set_id, message.rho
    assert isinstance(message, EpochReport)
    return "report", message.epoch, message.set_id, message.round, message.rho


def assert_nothing_slashable(
    said: dict[int, list[Any]],
    stores: dict[int, Store],
    accounts: Any,
    devices: Any,
    domain: Domain,
    vetoed: Collection[int] = (),
) -> None:
    """Nothing that an honest seat signed can be held against it; `vetoed` reports count for nothing."""
    for seat, messages in said.items():
        places: dict[Any, bytes] = {}
        for message in messages:
            digest = message.digest(domain)
            assert places.setdefault(place_of(message), digest) == digest, f"seat {seat} signed two: {message}"
    honest = {d.device.device_id for d in devices if not d.fault.startswith("wrong") and d.fault != "no-opening"}
    keys = {d.device.device_id: d.device.device_key for d in devices}
    for seat, store in stores.items():
        totals: dict[str, int] = {}
        for row in reversed(store.epochs()):
            _assert_lines_signed(store, row, keys, domain)
            for stored in store.messages(row.epoch, "batch"):
                batch = BatchMessage.model_validate_json(stored.body)
                passed = {line.device_id for line in batch.leaves if line.flags & Flag.PASSED}
                assert batch.seat != accounts[seat].account or passed <= honest, f"seat {seat} passed what is wrong"
            body = store.tree(row.rewards_root) if row.rewards_root else None
            if body is not None:
                after = {line.account: line.cumulative for line in RewardsBody.model_validate_json(body).leaves}
                assert all(after.get(account, -1) >= total for account, total in totals.items())
                totals = totals if row.epoch in vetoed else after


def _assert_lines_signed(store: Store, row: Any, keys: dict[bytes, str], domain: Domain) -> None:
    found = store.content(row.seal_content) if row.seal_content else None
    if found is None:
        return
    for leaf in SealedBody.model_validate_json(found[1]).leaves:
        message = Commitment(row.epoch, leaf.job_hash, leaf.device_id, leaf.nonce_root, leaf.result_root)
        assert signed_by(message.digest(domain), leaf.signature, keys[leaf.device_id])
