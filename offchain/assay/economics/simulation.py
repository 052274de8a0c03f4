"""An agent-based model on the validators' own reward rules: leaves in, integer
rewards out, slashes by chance.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum

from assay.economics import gas
from assay.economics.cheats import UNMEASURED, row_reward, stake_cost
from assay.economics.detection import passes
from assay.economics.machines import PROCESSOR, names, names_in_time, of_class
from assay.economics.parameters import UNIT, Economy, ProfileMoney
from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Emission
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, Flag
from assay.protocol.quorum import faults, quorum
from assay.protocol.types import DeviceId, Root
from assay.validator.rules.rewards import cumulative_rewards
from assay.validator.rules.values import Presence, Seat


class ProviderKind(StrEnum):
    """How a provider behaves."""

    HONEST = "honest"
    LAZY = "lazy"  # leaves out a share of the rows
    SYBIL = "sybil"  # one card under several names
    SELF_LEASING = "self-leasing"  # rents its own device
    DARK = "dark"  # lets its device and is not there
    BAITING = "baiting"  # serves no opening, to be paid for showing it on demand


class ValidatorKind(StrEnum):
    """How a validator behaves."""

    HONEST = "honest"
    LAZY = "lazy"  # passes everything unverified
    COLLUDING = "colluding"  # passes its friends' devices whatever they do
    STALLING = "stalling"  # signs nothing, so that nothing is sealed


@dataclass
class Provider:
    """One provider. `skipped` is the share of rows a lazy one leaves out, `names`
    the devices a card poses as.
    """

    account: str
    kind: ProviderKind
    names: int = 1
    skipped: float = 0.0
    stake: float = 0.0
    paid: float = 0.0  # work, gas, capital, fees
    rent: float = 0.0
    bonds: float = 0.0  # earned by answering demands
    lost: float = 0.0
    retired: bool = False


@dataclass
class Validator:
    """One seat. One that stalls may check in all the same; `left_out` are the epochs in a row that count against it."""

    account: str
    kind: ValidatorKind
    checks_in: bool = True
    left_out: int = 0
    paid: float = 0.0
    lost: float = 0.0
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Market:
    """What the model assumes beside the parameters. Prices in network tokens."""

    epochs: int = 400
    work_cost: float = 0.05  # of an honest epoch's work, as a share of the reward that a device gets
    verify_cost: float = 0.002  # of one device's verification
    rent: float = 0.5  # of an epoch's lease
    min_lease: float = 1.0  # epochs that an offer asks for at least
    watchers: int = 1  # that demand a row of a device that serves none
    interest: float = 0.08  # a year, on locked stake
    demand: float = 0.45  # share of devices leased on average
    demand_swing: float = 0.3  # and how far the hour moves it
    trap_chance: float = 0.02  # an epoch: somebody sets a trap for validators that do not verify


@dataclass
class SimulationOutcome:
    """What everyone has at the end, and the path there, in tokens."""

    providers: list[Provider]
    validators: list[Validator]
    earned: dict[str, float]
    path: dict[str, list[float]] = field(default_factory=dict)  # kind -> mean profit after each epoch
    slashes: int = 0
    false_passes: int = 0
    stalled: int = 0  # epochs that nobody could seal
    evicted: list[str] = field(default_factory=list)

    def profit(self, who: Provider | Validator) -> float:
        """Earned and rented, less paid and lost."""
        more = who.rent + who.bonds if isinstance(who, Provider) else 0.0
        return self.earned.get(who.account, 0.0) + more - who.paid - who.lost


def address(number: int) -> str:
    """An account of the model."""
    return f"0x{number:040x}"


def people(
    honest: int = 20, lazy: int = 4, sybil: int = 3, self_leasing: int = 3, dark: int = 3, baiting: int = 3,
    seats: int = 10, lazy_seats: int = 2, colluding: int = 2, stalling: int = 0, checks_in: bool = False,
) -> tuple[list[Provider], list[Validator]]:  # fmt: skip
    """A mixed population; two sevenths of the seats misbehave at most, unless asked for more.
    `checks_in` is of the stalling ones."""
    providers = [Provider("", ProviderKind.HONEST) for _ in range(honest)]
    providers += [Provider("", ProviderKind.LAZY, skipped=0.02 * (n + 1)) for n in range(lazy)]
    providers += [Provider("", ProviderKind.SYBIL, names=4) for _ in range(sybil)]
    providers += [Provider("", ProviderKind.SELF_LEASING) for _ in range(self_leasing)]
    providers += [Provider("", ProviderKind.DARK) for _ in range(dark)]
    providers += [Provider("", ProviderKind.BAITING) for _ in range(baiting)]
    for n, provider in enumerate(providers):
        provider.account = address(1_000 + n)
    kinds = [ValidatorKind.LAZY] * lazy_seats + [ValidatorKind.COLLUDING] * colluding
    kinds += [ValidatorKind.STALLING] * stalling
    kinds += [ValidatorKind.HONEST] * (seats - len(kinds))
    validators = [Validator(address(1 + n), kind) for n, kind in enumerate(kinds)]
    for validator in validators:
        validator.checks_in = validator.kind is not ValidatorKind.STALLING or checks_in
    return providers, validators


class Simulation:
    """Steps a population through epochs. Every draw comes from `choice`."""

    def __init__(
        self,
        economy: Economy,
        market: Market,
        providers: list[Provider],
        validators: list[Validator],
        choice: random.Random,
    ) -> None:
        self.economy = economy
        self.market = market
        self.profile: ProfileMoney = economy.profiles[0]
        self.providers = providers
        self.validators = validators
        self._choice = choice
        self._rewards: dict[str, int] = {}
        self._demand = {p.account: random.Random(choice.getrandbits(64)) for p in providers}  # noqa: S311
        self._owner: dict[DeviceId, str] = {}
        # What one card, or one processor where that is stronger, answers for under several names.
        machine = max((PROCESSOR, of_class(self.profile)), key=lambda m: names(self.profile, m))
        self._in_time, self._names = names_in_time(self.profile, machine), names(self.profile, machine)
        for provider in providers:
            provider.stake = self.profile.stake * provider.names
        self.outcome = SimulationOutcome(providers, validators, {})

    def run(self) -> SimulationOutcome:
        """All epochs."""
        for epoch in range(self.market.epochs):
            self._epoch(epoch)
            self._note()
        return self.outcome

    def _epoch(self, epoch: int) -> None:
        hour = epoch * self.economy.epoch_length / 3600 % 24
        demand = self.market.demand + self.market.demand_swing * math.sin(math.tau * (hour - 9) / 24)
        leaves = []
        for provider in self.providers:
            if not provider.retired:
                leaves += self._measure(provider, epoch, demand)
        leaves.sort(key=lambda leaf: leaf.device_id)
        seats = [v for v in self.validators if not v.removed]
        signing = sum(1 << n for n, v in enumerate(seats) if v.kind is not ValidatorKind.STALLING)
        sealed = len(seats) - signing.bit_count() <= faults(len(seats))
        accounts = tuple(v.account for v in seats)
        if sealed:
            self._rewards = cumulative_rewards(
                self._rewards,
                [Seat(a, a) for a in accounts],
                leaves,
                lambda _: self.profile.shape,
                self._owner.__getitem__,
                Presence(signing, signing, accounts),
                self._emission(),
            )
        self.outcome.stalled += not sealed
        self._evict(seats, sealed)
        for validator in seats:
            # Who colludes verifies strangers all the same, for fear of traps.
            verified = 0 if validator.kind is ValidatorKind.LAZY else len(leaves)
            validator.paid += verified * self.market.verify_cost + self._interest(self.economy.seat_stake)
        self._trap(seats)
        self.outcome.earned = {account: amount / UNIT for account, amount in self._rewards.items()}

    def _evict(self, seats: list[Validator], sealed: bool) -> None:
        """Whoever left out `idleEpochs` epochs in a row: a signature of a sealed one, a check-in in a stalled one,
        which then counts for nothing."""
        for validator in seats:
            absent = validator.kind is ValidatorKind.STALLING if sealed else not validator.checks_in
            if sealed and not absent:
                validator.left_out = 0
            validator.left_out += absent
            if validator.left_out >= self.economy.idle_epochs:
                validator.removed = True
                self.outcome.evicted.append(validator.account)

    def _measure(self, provider: Provider, epoch: int, demand: float) -> list[DeviceLeaf]:
        own_lease = provider.kind is ProviderKind.SELF_LEASING
        # Demand draws apart from chance of being caught: another strategy meets the same demand.
        leased = own_lease or self._demand[provider.account].random() < demand
        provider.paid += self._interest(provider.stake)
        if leased:
            if own_lease:
                provider.paid += self.market.rent * self.economy.fee
            elif provider.kind is ProviderKind.DARK:
                # Refunded but for what is measured with the next epoch; the bond of the least lease goes to the fees.
                provider.rent += self.market.rent * (1 - self.economy.fee) * UNMEASURED
                provider.lost += self.market.rent * self.market.min_lease
            else:
                provider.rent += self.market.rent * (1 - self.economy.fee)
            flags = [Flag.LEASED] * provider.names
        else:
            flags = self._flags(provider)
        shown = provider.names if provider.kind is not ProviderKind.SYBIL else self._names
        return [self._leaf(provider, epoch, n, flag, n < shown) for n, flag in enumerate(flags)]

    def _flags(self, provider: Provider) -> list[Flag]:
        """What the seats find, and the slash where a wrong row was opened."""
        reward = self._reward_guess()
        provider.paid += self.market.work_cost * reward * (1 - provider.skipped)
        if provider.kind is ProviderKind.SYBIL:
            return [Flag.PASSED if n < self._in_time else Flag.PASSED | Flag.LATE for n in range(provider.names)]
        if provider.kind is ProviderKind.BAITING:
            answer = self.economy.gas_cost(gas.answer(self.profile))
            provider.bonds += self.market.watchers * (row_reward(self.economy, self.profile) - answer)
            return [Flag.NO_OPENING]
        if self._choice.random() < passes(provider.skipped, self.profile.samples):
            return [Flag.PASSED]
        self.outcome.slashes += 1
        provider.lost += provider.stake
        provider.stake = 0.0
        provider.retired = True
        # The report passes a wrong device only where a quorum says that it passed.
        willing = sum(v.kind is not ValidatorKind.HONEST for v in self.validators if not v.removed)
        seated = sum(not v.removed for v in self.validators)
        if seated and willing >= quorum(seated):
            self.outcome.false_passes += 1
            return [Flag.PASSED]
        return [Flag.BAD_OPENING]

    def _trap(self, seats: list[Validator]) -> None:
        """A device that commits garbage: each seat that passes it unverified loses its stake to a proof."""
        if self._choice.random() >= self.market.trap_chance:
            return
        for validator in seats:
            if validator.kind is ValidatorKind.LAZY:
                validator.lost += self.economy.seat_stake
                validator.removed = True
                self.outcome.slashes += 1

    def _leaf(self, provider: Provider, epoch: int, number: int, flag: Flag, shown: bool) -> DeviceLeaf:
        device = DeviceId(keccak(f"{provider.account} {number}".encode()))
        self._owner[device] = provider.account
        passed = flag == Flag.PASSED
        memory = claimed_mib(self.profile.shape) if passed and shown else 0
        return DeviceLeaf(epoch, device, 0, 1, int(passed), memory, 10_000, int(flag), Root(bytes(32)))

    def _emission(self) -> Emission:
        economy = self.economy
        return Emission(
            int(economy.provider_pool * UNIT), int(economy.validator_pool * UNIT), int(economy.max_per_credit * UNIT)
        )

    def _reward_guess(self) -> float:
        most = self.economy.max_per_credit * self.profile.credit
        return min(self.economy.provider_pool / len(self.providers), most)

    def _interest(self, stake: float) -> float:
        return stake_cost(self.economy, stake, self.market.interest)

    def _note(self) -> None:
        groups: dict[str, list[float]] = {}
        for provider in self.providers:
            groups.setdefault(f"provider, {provider.kind}", []).append(self.outcome.profit(provider))
        for validator in self.validators:
            groups.setdefault(f"validator, {validator.kind}", []).append(self.outcome.profit(validator))
        for name, profits in groups.items():
            self.outcome.path.setdefault(name, []).append(sum(profits) / len(profits))


def bounty_of_watching(economy: Economy) -> float:
    """What a watcher keeps of one proven device, gas paid."""
    profile = economy.profiles[0]
    return economy.bounty * profile.stake - economy.gas_cost(gas.proof(profile))
