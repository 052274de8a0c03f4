"""What proven contents of a report change in the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.market.projection.listings import measured
from assay.market.sources.observation_batches import SeatBatch
from assay.market.store.rows import Change
from assay.protocol.leaves import DeviceLeaf, Flag, RewardLeaf

WANTED, PROVEN, SIGNED = "wanted", "proven", "signed"


def device_changes(
    epoch: int, leaves: Sequence[DeviceLeaf], known: Callable[[bytes], dict[str, Any] | None]
) -> list[Change]:
    """What the proven device leaves of a report change; `known` gives the device as it stands."""
    changes = []
    for leaf in leaves:
        values = {
            "seal_index": leaf.seal_index,
            "profile": leaf.profile,
            "score_gops": leaf.score_gops,
            "memory_mib": leaf.memory_mib,
            "uptime_bps": leaf.uptime_bps,
            "flags": leaf.flags,
            "result_root": leaf.result_root,
        }
        changes.append(Change("measurements", (epoch, leaf.device_id), values))
        if device := known(leaf.device_id):
            changes.append(measured(device, leaf))
    passed = [leaf for leaf in leaves if leaf.flags == Flag.PASSED]
    leased = sum(bool(leaf.flags & Flag.LEASED) for leaf in leaves)
    summary = {
        "devices_content": PROVEN,
        "passed": len(passed),
        "leased": leased,
        "failed": len(leaves) - len(passed) - leased,
        "total_gops": sum(leaf.score_gops for leaf in passed),
    }
    changes.append(Change("epochs", (epoch,), summary))
    return changes


def reward_changes(epoch: int, leaves: Sequence[RewardLeaf]) -> list[Change]:
    """What the proven reward leaves of a report change."""
    rows = [Change("rewards", (epoch, leaf.account), {"cumulative": leaf.cumulative}) for leaf in leaves]
    return [*rows, Change("epochs", (epoch,), {"rewards_content": PROVEN})]


def batch_changes(epoch: int, batches: Sequence[SeatBatch], reported: Mapping[bytes, int], whole: bool) -> list[Change]:
    """What seats' batches change. `reported` gives each device's flags in the report; `whole` says that the
    report is made of exactly these batches.
    """
    changes = []
    for batch in batches:
        for leaf in batch.leaves:
            values = {
                "result_root": leaf.result_root,
                "elapsed_us": leaf.elapsed_us,
                "flags": leaf.flags,
                "uptime_bps": leaf.uptime_bps,
            }
            changes.append(Change("observations", (epoch, batch.account, leaf.device_id), values))
        summary = {
            "batch_root": batch.batch_root,
            "signature": batch.signature,
            "devices": len(batch.leaves),
            "passed": sum(bool(leaf.flags & Flag.PASSED) for leaf in batch.leaves),
            "otherwise": sum(_otherwise(leaf.flags, reported.get(leaf.device_id)) for leaf in batch.leaves),
        }
        changes.append(Change("batches", (epoch, batch.account), summary))
    return [*changes, Change("epochs", (epoch,), {"batches_content": PROVEN if whole else SIGNED})]


def _otherwise(seen: int, reported: int | None) -> bool:
    """Whether a seat passed what the report failed, or the other way round. A leased device is neither."""
    if reported is None or (seen | reported) & (Flag.LEASED | Flag.UNSCORED):
        return False
    return bool(seen & Flag.PASSED) != bool(reported & Flag.PASSED)
