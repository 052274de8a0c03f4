"""For which parameters each cheat loses money: one inequality each, with its margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.economics import gas
from assay.economics.cheats import (
    demands_to_price_out,
    reward_per_device,
    row_reward,
    self_demand_cost,
    stake_cost,
)
from assay.economics.detection import SECRET_ROWS, passes
from assay.economics.machines import PROCESSOR, names, of_class
from assay.economics.parameters import Economy, ProfileMoney
from assay.proof.probe.calibration import deadline_us
from assay.validator.rules.deadlines import deadlines
from assay.validator.rules.instants import MIN_NOTICE_MS

STAKE_OVER_REWARD = 100  # stake > reward / k by this factor
SEAT_OVER_DEVICE = 100  # seat stake >= device stake by this factor
BOUNTY_OVER_GAS = 2
SHARING = 100  # devices, where a reward is to outweigh something


@dataclass(frozen=True, slots=True)
class Condition:
    """`got` must be at least `needed`; both in the unit named."""

    name: str
    why: str
    got: float
    needed: float
    unit: str

    @property
    def margin(self) -> float:
        """How many times over it holds; below 1 it does not."""
        return self.got / self.needed if self.needed > 0 else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the cheat loses."""
        return self.got >= self.needed


def conditions(economy: Economy) -> list[Condition]:
    """Every inequality that the parameters must satisfy."""
    found = []
    for profile in economy.profiles:
        found += _of_any_profile(economy, profile)
        if profile.credit:
            found += _of_earning_profile(economy, profile)
    found += _of_network(economy)
    return found


def unheld(economy: Economy) -> list[str]:
    """What is held to on public networks only; for people."""
    if not economy.is_local:
        return []
    return [
        f"{profile.name}: {names(profile, PROCESSOR):,} names of one machine earn, and baiting pays, on a local chain"
        for profile in economy.profiles
        if profile.credit and names(profile, PROCESSOR) > 1
    ]


def _of_any_profile(economy: Economy, profile: ProfileMoney) -> list[Condition]:
    """What holds for each profile, whether it earns or not: it is leased, and its results are passed by seats."""
    cost = economy.gas_cost(gas.proof(profile))
    named = _named(profile)
    return [
        Condition(
            named("proving a fault"),
            "bounty at least twice the gas of the proof: somebody will",
            economy.bounty * profile.stake,
            BOUNTY_OVER_GAS * cost,
            "tokens",
        ),
        Condition(
            named("not verifying"),
            "seat stake at least a hundred device stakes: a trap pays its setter",
            economy.seat_stake,
            SEAT_OVER_DEVICE * profile.stake,
            "tokens",
        ),
        Condition(
            named("setting a trap"),
            "one lazy seat's bounty above the trap's own loss and gas",
            economy.bounty * economy.seat_stake,
            profile.stake * (1 - economy.bounty) + 2 * cost,
            "tokens",
        ),
        Condition(
            named("being caught at 5 %"),
            "chance to be caught in one epoch with one row in twenty wrong",
            1 - passes(0.05, profile.samples, SECRET_ROWS),
            0.95,
            "chance",
        ),
        Condition(
            named("asking oneself"),
            "demands of one's own device that price a row above the bounty burn at least its stake",
            self_demand_cost(economy, profile, demands_to_price_out(economy, profile)),
            profile.stake,
            "tokens",
        ),
        Condition(
            named("being asked"),
            "a demanded row earns at least the gas of showing it: nobody is harassed with demands",
            row_reward(economy, profile),
            economy.gas_cost(gas.answer(profile)),
            "tokens",
        ),
        Condition(
            named("room for the probe"),
            "from the first final block of an epoch work and probe are over when commitments close",
            deadlines(economy.timing, 0).commit_by,
            _measuring(economy, profile),
            "seconds",
        ),
    ]


def _of_earning_profile(economy: Economy, profile: ProfileMoney) -> list[Condition]:
    reward = reward_per_device(economy, profile)
    named = _named(profile)
    found = [
        Condition(
            named("skipping rows"),
            "stake above reward / k a hundredfold: no share of skipped rows pays",
            profile.stake,
            STAKE_OVER_REWARD * reward / profile.samples,
            "tokens",
        ),
        Condition(
            named("cheating for a proof window"),
            "what a late proof takes, less a bounty to oneself, is at least all that was earned until then",
            (1 - economy.bounty) * profile.stake,
            reward * economy.provable_epochs,
            "tokens",
        ),
    ]
    if not economy.is_local:
        found += [_names(economy, profile), _baiting(economy, profile)]
    return found


def _baiting(economy: Economy, profile: ProfileMoney) -> Condition:
    return Condition(
        f"{profile.name}: baiting a watcher",
        f"an epoch served to nobody loses, {SHARING} devices sharing the pool, what an answer leaves above its gas",
        reward_per_device(economy, profile, SHARING),
        row_reward(economy, profile) - economy.gas_cost(gas.answer(profile)),
        "tokens",
    )


def _names(economy: Economy, profile: ProfileMoney) -> Condition:
    most = max((PROCESSOR, of_class(profile)), key=lambda machine: names(profile, machine))
    # More than share the pool at the cap pay no more.
    paid = max(1, int(economy.provider_pool / (economy.max_per_credit * profile.credit)))
    extra = max(0, min(paid, names(profile, most)) - 1)
    how = "by its measured time" if most.measured else "by the class's own figures, not measured"
    return Condition(
        f"{profile.name}: names of one machine",
        f"{most.name} answers for {names(profile, most)} within a deadline, {how}: stake costs at least what they earn",
        stake_cost(economy, extra * profile.stake),
        extra * reward_per_device(economy, profile, extra + 1),
        "tokens",
    )


def _of_network(economy: Economy) -> list[Condition]:
    reports = 2 * economy.epoch_length + economy.timing.report_by
    return [
        Condition(
            "reporting oneself", "bounty at most a tenth, so nine tenths are lost", 0.10, economy.bounty, "share"
        ),
        Condition(
            "going dark",
            "what streams is held back until the report of its epoch is there: the renter is refunded before",
            economy.holdback,
            reports,
            "seconds",
        ),
        Condition(
            "stalling",
            "a check-in is taken for longer after a missed seal than that takes to be final: nobody is evicted for it",
            2 * economy.epoch_length - economy.timing.seal_by,
            economy.timing.draw_delay * economy.block_time,
            "seconds",
        ),
    ]


def _measuring(economy: Economy, profile: ProfileMoney) -> float:
    """Seconds from the start of an epoch to the end of its probe, where nobody is late: one block that opens it, as
    many until that is final as a draw waits for, the notice of the first instant, the work, the probe."""
    final = (1 + economy.timing.draw_delay) * economy.block_time
    probe = deadline_us(profile.shape) / 1e6 if profile.shape.W else 0.0
    return final + MIN_NOTICE_MS / 1000 + profile.deadline + probe


def _named(profile: ProfileMoney) -> Callable[[str], str]:
    return lambda text: f"{profile.name}: {text}"
