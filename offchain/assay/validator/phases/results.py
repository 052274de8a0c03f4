"""Working out a report from named batches, with everything it refers to kept and served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.protocol.epochs import Emission
from assay.protocol.leaves import DeviceLeaf, RewardLeaf, SealedLeaf, device_tree, reward_tree
from assay.validator.rules.reports import data_hash, device_leaves
from assay.validator.rules.rewards import cumulative_rewards
from assay.validator.rules.values import Batch, Presence, RuleError
from assay.validator.work import Work
from assay.wire import canonical
from assay.wire.leaves import DevicesBody, RewardsBody


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """What the chain fixes for a report, the same for every signer.

    `floor` holds totals by account that none may fall below, as far as this validator holds the trees they stand in.
    `slashed` are devices that lost their stake before the draw: nothing they do costs them more, so they earn nothing.
    """

    rho: bytes
    sealed: tuple[SealedLeaf, ...]
    previous_rewards: dict[str, int]
    floor: dict[str, int]
    presence: Presence
    emission: Emission
    slashed: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Results:
    """A report worked out."""

    devices: tuple[DeviceLeaf, ...]
    rewards: tuple[RewardLeaf, ...]
    devices_root: bytes
    rewards_root: bytes
    rewards_total: int
    data_hash: bytes


def work_out(work: Work, inputs: ReportInputs, batches: Sequence[Batch]) -> Results:
    """The report that follows from these batches. Raises RuleError."""
    context = work.context
    devices = device_leaves(context.epoch, inputs.sealed, batches, context.profile_of, context.n, inputs.rho)
    if not devices:
        raise RuleError(f"the batches of epoch {context.epoch} speak of no device: there is nothing to report")
    totals = cumulative_rewards(
        inputs.previous_rewards,
        context.seats,
        devices,
        work.known_profile,
        lambda device_id: context.devices[device_id].provider,
        inputs.presence,
        inputs.emission,
        inputs.slashed,
    )
    fallen = next((a for a, least in inputs.floor.items() if totals.get(a, 0) < least), None)
    if fallen is not None:
        raise RuleError(f"{fallen} would have earned {totals.get(fallen, 0)}, a standing report says more")
    rewards = tuple(RewardLeaf(account, totals[account]) for account in sorted(totals, key=str.lower))
    return Results(
        devices,
        rewards,
        device_tree(devices).root,
        reward_tree(rewards).root,
        sum(totals.values()),
        data_hash(batches),
    )


def keep(work: Work, results: Results) -> None:
    """Stores the trees, to be served and to continue the rewards from."""
    epoch, store = work.context.epoch, work.services.store
    devices = DevicesBody(epoch=epoch, leaves=tuple(results.devices))
    rewards = RewardsBody(
        epoch=epoch,
        leaves=tuple(results.rewards),
    )
    store.put_tree(epoch, "devices", results.devices_root, canonical.encode(devices.to_json()))
    store.put_tree(epoch, "rewards", results.rewards_root, canonical.encode(rewards.to_json()))
