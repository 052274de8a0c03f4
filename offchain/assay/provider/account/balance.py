"""All that a provider has and is owed, what of it can be had now, and what it has to do for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assay.chain.contracts.amounts import tokens_text, utc
from assay.chain.contracts.devices import DeviceDirectory, DeviceStatus
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import active_lease, read_lease
from assay.chain.contracts.profiles import read_profile
from assay.chain.contracts.stake import MANAGER, AccountStake, read_stake, read_unbonding
from assay.chain.rpc.client import Chain, ContractCall
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority
from assay.provider.account.standing import credit_of, leases_of, operators_of
from assay.provider.errors import Conflict

ESCROW, REGISTRY = "LeaseEscrow", "DeviceRegistry"


@dataclass(frozen=True)
class DeviceStake:
    """What backs one device. `free_from` is 0 while it is active; `demands` hold its stake until they are settled."""

    device_id: DeviceId
    status: DeviceStatus
    amount: int
    free_from: int
    released: bool
    demands: int
    leased_until: int | None

    @property
    def held(self) -> bool:
        """Retired, and its stake still reserved."""
        return self.status is DeviceStatus.RETIRED and not self.released

    def can_be_released(self, now: int) -> bool:
        """Whether anybody may set its stake free now."""
        return self.held and now >= self.free_from and not self.demands


@dataclass(frozen=True)
class LeaseDue:
    """What a lease would pay its provider now, base units of its token."""

    lease_id: int
    token: str
    rent: int
    bond: int


@dataclass(frozen=True)
class TokenBalance:
    """One token of rent: `held` by the account, `credit` for bonds, and how much of that operators may take."""

    token: str
    symbol: str
    decimals: int
    held: int
    rent: int
    bonds: int
    credit: int
    per_day: int
    left_today: int


@dataclass(frozen=True)
class Gas:
    """What a key that sends for the provider has to pay with, wei."""

    account: str
    role: str
    wei: int


@dataclass(frozen=True)
class Balance:
    """As it stands at the head, whose time is `now`, in seconds since 1970. Stake in base units of the network token,
    of which the account holds `held` besides."""

    provider: str
    payout: str
    now: int
    unbonding: int
    held: int
    stake: AccountStake
    devices: tuple[DeviceStake, ...]
    due: tuple[LeaseDue, ...]
    tokens: tuple[TokenBalance, ...]
    gas: tuple[Gas, ...]

    @property
    def releasable(self) -> tuple[DeviceStake, ...]:
        """Devices whose stake comes free with a transaction of anybody's."""
        return tuple(one for one in self.devices if one.can_be_released(self.now))

    @property
    def matured(self) -> bool:
        """Whether what was asked back can be had."""
        return self.stake.pending > 0 and self.now >= self.stake.unlock_at

    @property
    def askable(self) -> int:
        """What would be free to be asked back once all that can be released is."""
        return self.stake.free + sum(one.amount for one in self.releasable)


@dataclass(frozen=True)
class Withdrawal:
    """Transactions in order, and each in words; amounts in base units. `asked` is what begins to unbond, `paid` what
    is paid out of stake at once."""

    calls: tuple[ContractCall, ...]
    released: tuple[DeviceStake, ...]
    collected: tuple[LeaseDue, ...]
    paid: int
    asked: int


async def read_balance(authority: Authority, tokens: Iterable[str] = ()) -> Balance:
    """Reads all of it; `tokens` are shown even where the provider has none of them. Raises ChainError."""
    chain, provider = authority.chain, authority.provider
    head = await chain.head()
    due = await _due(chain, provider)
    network = Erc20(chain, chain.deployment.address("NetworkToken"))
    return Balance(
        provider=provider,
        payout=await authority.payout(),
        now=head.timestamp,
        unbonding=await read_unbonding(chain),
        held=await network.balance(provider),
        stake=await read_stake(chain, provider, "latest"),
        devices=await _devices(chain, provider),
        due=due,
        tokens=await _tokens(chain, provider, due, tokens),
        gas=await _gas(authority),
    )


def withdrawal(balance: Balance, receiver: str, amount: int | None = None) -> Withdrawal:
    """What brings out all that can be had now: rent and bonds that are due, the stake of devices that can no longer be
    proven against, what has unbonded; and asks for what is free, or `amount` of it, base units.

    Raises Conflict where nothing can be had, with what it waits for and until when.
    """
    calls: list[ContractCall] = []
    for due in balance.due:
        calls += [ContractCall(ESCROW, "claim", (due.lease_id, receiver))] if due.rent else []
        calls += [ContractCall(ESCROW, "returnBond", (due.lease_id, receiver))] if due.bond else []
    calls += [ContractCall(REGISTRY, "releaseStake", (one.device_id,)) for one in balance.releasable]
    paid = balance.stake.pending if balance.matured else 0
    if paid:
        calls.append(ContractCall(MANAGER, "withdraw", (receiver,)))
    asked = balance.askable if amount is None else amount
    if asked > balance.askable:
        raise Conflict(
            f"{tokens_text(asked)} of stake asked for, {tokens_text(balance.askable)} are free: "
            f"{tokens_text(balance.stake.reserved)} are reserved; `assay provider retire` takes a device off the market"
        )
    if asked and balance.stake.pending and not paid:
        if amount is not None:
            raise Conflict(f"only one withdrawal at a time: {pending_text(balance)}")
        asked = 0
    if asked:
        calls.append(ContractCall(MANAGER, "requestWithdrawal", (asked,)))
    if not calls:
        raise Conflict(f"nothing can be withdrawn now: {'; '.join(waits(balance)) or 'there is no stake'}")
    return Withdrawal(tuple(calls), balance.releasable, balance.due, paid, asked)


def pending_text(balance: Balance) -> str:
    """What is unbonding, and until when."""
    return f"{tokens_text(balance.stake.pending)} are unbonding until {utc(balance.stake.unlock_at)}"


def waits(balance: Balance) -> list[str]:
    """What is held, each with why and until when."""
    found = []
    if balance.stake.pending and not balance.matured:
        found.append(pending_text(balance))
    for one in balance.devices:
        name = "0x" + one.device_id.hex()[:10]
        if one.held and one.demands:
            found.append(f"device {name} has {one.demands} open demands: its daemon must answer them")
        elif one.held and balance.now < one.free_from:
            found.append(f"the stake of device {name} can be disputed until {utc(one.free_from)}")
        elif one.status is DeviceStatus.ACTIVE:
            until = f", leased until {utc(one.leased_until)}" if one.leased_until else ""
            found.append(f"device {name} is active{until}: `assay provider retire` takes it off the market")
    return found


async def _devices(chain: Chain, provider: str) -> tuple[DeviceStake, ...]:
    found = []
    for device in (await DeviceDirectory(chain).refresh()).values():
        if device.provider.lower() != provider.lower():
            continue
        row = await chain.call(REGISTRY, "device", device.device_id, at="latest")
        lease_id = await active_lease(chain, device.device_id, "latest")
        found.append(
            DeviceStake(
                device.device_id,
                DeviceStatus(row.status),
                (await read_profile(chain, device.profile_id)).stake,
                int(await chain.call(REGISTRY, "releasableFrom", device.device_id, at="latest")),
                bool(row.stakeReleased),
                int(await chain.call("OpeningDemands", "openDemandsOf", device.device_id, at="latest")),
                (await read_lease(chain, lease_id, "latest")).stop if lease_id else None,
            )
        )
    return tuple(found)


async def _due(chain: Chain, provider: str) -> tuple[LeaseDue, ...]:
    found = []
    for lease_id in await leases_of(chain, provider):
        rent = int(await chain.call(ESCROW, "claimable", lease_id, at="latest"))
        bond = int(await chain.call(ESCROW, "bondReturnable", lease_id, at="latest"))
        if rent or bond:
            found.append(LeaseDue(lease_id, (await read_lease(chain, lease_id, "latest")).token, rent, bond))
    return tuple(found)


async def _tokens(
    chain: Chain, provider: str, due: Sequence[LeaseDue], wanted: Iterable[str]
) -> tuple[TokenBalance, ...]:
    credits = {row["token"].lower(): row for row in await credit_of(chain, provider, wanted)}
    named = {
        token.lower(): token for token in [*(row["token"] for row in credits.values()), *(one.token for one in due)]
    }
    found = []
    for key, token in named.items():
        erc20 = Erc20(chain, token)
        row = credits.get(key, {"amount": "0", "perDay": "0", "leftToday": "0"})
        own = [one for one in due if one.token.lower() == key]
        found.append(
            TokenBalance(
                token,
                await erc20.symbol(),
                await erc20.decimals(),
                await erc20.balance(provider),
                sum(one.rent for one in own),
                sum(one.bond for one in own),
                int(row["amount"]),
                int(row["perDay"]),
                int(row["leftToday"]),
            )
        )
    return tuple(found)


async def _gas(authority: Authority) -> tuple[Gas, ...]:
    chain = authority.chain
    operators = [one["operator"] for one in await operators_of(chain, authority.provider) if one["valid"]]
    named = {authority.provider: "provider", **dict.fromkeys(operators, "operator")}
    named.setdefault(authority.signer, "this key")
    return tuple([Gas(one, role, await chain.number("eth_getBalance", [one, "latest"])) for one, role in named.items()])
