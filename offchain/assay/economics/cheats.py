"""What each way of cheating gains over honest work, in tokens; below zero it loses."""

from __future__ import annotations

import math

from assay.economics import gas
from assay.economics.detection import passes
from assay.economics.machines import Machine, names
from assay.economics.parameters import Economy, ProfileMoney

SECONDS_A_YEAR = 31_557_600
INTEREST = 0.08  # a year, on locked stake; an assumption
BURNED_PART = 10  # of a demand's bond
UNMEASURED = 0.1  # of an epoch, after its observations are signed; counted with the next


def reward_per_device(economy: Economy, profile: ProfileMoney, devices: int = 1) -> float:
    """An epoch's reward of one device among `devices` like it: the cap per credit binds when they are few."""
    if profile.credit == 0:
        return 0.0
    share = economy.provider_pool / (profile.credit * devices)
    return min(share, economy.max_per_credit) * profile.credit


def stake_cost(economy: Economy, stake: float, interest: float = INTEREST) -> float:
    """What so much locked stake costs in an epoch."""
    return stake * interest * economy.epoch_length / SECONDS_A_YEAR


def skipping_gain(economy: Economy, profile: ProfileMoney, wrong_share: float, cost: float) -> float:
    """Expected gain, an epoch, of leaving out this share of the work over doing all of it.

    `cost` is what an epoch's honest work costs. Passing pays the reward; failing forfeits it and the stake.
    """
    reward = reward_per_device(economy, profile)
    chance = passes(wrong_share, profile.samples)
    return wrong_share * cost - (1 - chance) * (reward + profile.stake)


def names_gain(economy: Economy, profile: ProfileMoney, machine: Machine, posed: int) -> float:
    """Gain, an epoch, of enrolling a machine under `posed` names over one: what those earn that it can answer for, less
    what the stake of all costs."""
    earning = min(posed, names(profile, machine))
    locked = stake_cost(economy, (posed - 1) * profile.stake)
    return (earning - 1) * reward_per_device(economy, profile, max(1, earning)) - locked


def self_lease_gain(economy: Economy, profile: ProfileMoney, rent: float) -> float:
    """Gain, an epoch, of leasing one's own device: the rent comes back less the
    fee, the emission does not.
    """
    return -economy.fee * rent - reward_per_device(economy, profile)


def trap_gain(economy: Economy, profile: ProfileMoney, lazy_seats: int) -> float:
    """Gain of enrolling a device that commits garbage, and proving it against every seat that passed it."""
    lost = profile.stake * (1 - economy.bounty)
    cost = economy.gas_cost(gas.proof(profile) * (1 + lazy_seats))
    return economy.bounty * economy.seat_stake * lazy_seats - lost - cost


def row_reward(economy: Economy, profile: ProfileMoney) -> float:
    """What showing a demanded row of this profile earns."""
    return economy.unit_bond * (512 + profile.shape.N) / 512


def row_loss(economy: Economy, profile: ProfileMoney, ahead: int) -> float:
    """What an answered demand for a row costs its asker, with so many open against the device before it."""
    reward = row_reward(economy, profile)
    return reward + 2 * reward * (1 + ahead) / BURNED_PART


def baiting_gain(economy: Economy, profile: ProfileMoney, watchers: int, devices: int = 1) -> float:
    """Gain, an epoch, of serving nobody and answering what watchers then demand: their rewards less the gas, and less
    the epoch's own reward, which who serves nobody does not get. `devices` share the pool."""
    answers = row_reward(economy, profile) - economy.gas_cost(gas.answer(profile))
    return watchers * answers - reward_per_device(economy, profile, devices)


def demands_to_price_out(economy: Economy, profile: ProfileMoney) -> int:
    """Demands against its own device that a culprit must keep open until a row costs a watcher more than the bounty."""
    reward = row_reward(economy, profile)
    return max(0, math.ceil(BURNED_PART / 2 * (economy.bounty * profile.stake / reward - 1)) - 1)


def self_demand_cost(economy: Economy, profile: ProfileMoney, count: int) -> float:
    """What so many demands of one's own device cost once they are answered by oneself: the burned part and the gas; the
    rest comes back."""
    burned = 2 * row_reward(economy, profile) / BURNED_PART * count * (count + 1) / 2
    return burned + count * economy.gas_cost(gas.DEMAND + gas.answer(profile))


def dark_gain(economy: Economy, profile: ProfileMoney, rent: float, min_epochs: float, epochs: float) -> float:
    """Gain of being dark for a whole lease of so many epochs over never having let, at a rent an epoch; `least_epochs`
    is the offer's minimum, for which the bond stands.

    The renter gets back what was attested, leaves free after `maxDowntime`, and the unserved bond goes to the fees.
    Kept is the rent of what is measured with the next epoch only; a leased device earns no emission, and in the next
    epoch by its uptime.
    """
    free_after = economy.max_downtime / economy.epoch_length + 1
    lasted = min(epochs, free_after)
    kept = min(lasted, UNMEASURED) * rent * (1 - economy.fee)
    forfeited = min_epochs * rent if lasted >= free_after else 0.0
    return kept - forfeited - (lasted + 1) * reward_per_device(economy, profile)
