"""For which parameters each cheat loses money: one inequality each, with its margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.economics.detection import SECRET_ROWS, passes
from assay.economics.parameters import Economy, ProfileMoney

# Gas of a whole proof, measured on the contracts: commit and reveal.
COMMIT_GAS = 50_000
PROOF_GAS_SHORT = 310_000  # inner length up to 4,096
PROOF_GAS_LONG = 2_100_000  # up to 65,536
STAKE_OVER_REWARD = 100  # stake > reward / k by this factor
SEAT_OVER_DEVICE = 100  # seat stake >= device stake by this factor
BOUNTY_OVER_GAS = 2
LATE_LIMIT = 1.2  # deadline as part of the class's honest time


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


def reward_per_device(economy: Economy, profile: ProfileMoney, devices: int = 1) -> float:
    """An epoch's reward of one device among `devices` like it: the cap per credit binds when they are few."""
    if profile.credit == 0:
        return 0.0
    share = economy.provider_pool / (profile.credit * devices)
    return min(share, economy.most_per_credit) * profile.credit


def proof_gas(profile: ProfileMoney) -> int:
    """Gas of committing and revealing a wrong element of this profile, between the measured lengths
    linear.
    """
    if profile.inner_length <= 4_096:
        return COMMIT_GAS + PROOF_GAS_SHORT
    part = (profile.inner_length - 4_096) / (65_536 - 4_096)
    return COMMIT_GAS + int(PROOF_GAS_SHORT + part * (PROOF_GAS_LONG - PROOF_GAS_SHORT))


def skipping_gain(economy: Economy, profile: ProfileMoney, wrong_share: float, cost: float) -> float:
    """Expected gain, an epoch, of leaving out this share of the work over doing all of it, in tokens.

    `cost` is what an epoch's honest work costs. Passing pays the reward; failing forfeits it and the stake.
    """
    reward = reward_per_device(economy, profile)
    chance = passes(wrong_share, profile.samples)
    return wrong_share * cost - (1 - chance) * (reward + profile.stake)


def sybil_gain(economy: Economy, profile: ProfileMoney, names: int, epochs_a_year: float, interest: float) -> float:
    """Expected gain, an epoch, of one card under `names` names over one name: all are challenged at one instant,
    so one answers within 1.2 times the honest time, and every further name only locks its stake."""
    in_time = int(LATE_LIMIT)
    reward = reward_per_device(economy, profile)
    locked = (names - 1) * profile.stake * interest / epochs_a_year
    return (min(names, in_time) - 1) * reward - locked


def self_lease_gain(economy: Economy, profile: ProfileMoney, rent: float) -> float:
    """Gain, an epoch, of leasing one's own device: the rent comes back less the fee, the emission does
    not.
    """
    return -economy.fee * rent - reward_per_device(economy, profile)


def trap_gain(economy: Economy, profile: ProfileMoney, lazy_seats: int) -> float:
    """Gain of enrolling a device that commits garbage, and proving it against every seat that passed it."""
    lost = profile.stake * (1 - economy.bounty)
    gas = economy.gas_cost(proof_gas(profile) * (1 + lazy_seats))
    return economy.bounty * economy.seat_stake * lazy_seats - lost - gas


def conditions(economy: Economy) -> list[Condition]:
    """Every inequality that the parameters must satisfy."""
    found = []
    for profile in economy.profiles:
        found += _profile_conditions(economy, profile)
    found.append(
        Condition("reporting oneself", "bounty at most a tenth, so nine tenths are lost", 0.10, economy.bounty, "share")
    )
    return found


def _profile_conditions(economy: Economy, profile: ProfileMoney) -> list[Condition]:
    reward = reward_per_device(economy, profile)
    gas = economy.gas_cost(proof_gas(profile))
    named: Callable[[str], str] = lambda text: f"{profile.name}: {text}"  # noqa: E731
    return [
        Condition(
            named("skipping rows"),
            "stake above reward / k a hundredfold: no share of skipped rows pays",
            profile.stake,
            STAKE_OVER_REWARD * reward / profile.samples,
            "tokens",
        ),
        Condition(
            named("proving a fault"),
            "bounty at least twice the gas of the proof: somebody will",
            economy.bounty * profile.stake,
            BOUNTY_OVER_GAS * gas,
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
            profile.stake * (1 - economy.bounty) + economy.gas_cost(2 * proof_gas(profile)),
            "tokens",
        ),
        Condition(
            named("being caught at 5 %"),
            "chance to be caught in one epoch with one row in twenty wrong",
            1 - passes(0.05, profile.samples, SECRET_ROWS),
            0.95,
            "chance",
        ),
    ]
