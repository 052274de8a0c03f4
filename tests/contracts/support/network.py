"""A deployed network in a test: contracts, seats, devices, and the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.protocol import messages, quorum
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, address_of

CONTRACTS = (
    "Timelock", "Authority", "NetworkToken", "EpochOracle", "ValidatorSet", "DeviceRegistry", "FraudProofs",
    "OpeningDemands", "StakeManager", "RewardsDistributor", "TestToken", "LeaseEscrow",
)  # fmt: skip


def key(name: str) -> bytes:
    """A private key that belongs to a name."""
    return keccak(f"key of {name}".encode())


def endpoint_of(name: str) -> str:
    """Where a seat or device of that name says it is."""
    return f"https://{name.replace(' ', '-')}.example"


@dataclass
class Device:
    provider: Any
    private_key: bytes
    id: bytes
    profile: Profile


@dataclass
class Network:
    """Contracts by name (`network.EpochOracle`), and what it takes to use them."""

    project: Any
    chain: Any
    accounts: Any
    parameters: Any
    contracts: dict[str, Any]
    genesis: int
    file: Path = Path()  # of the deployment
    seats: list[tuple[Any, bytes]] = field(default_factory=list)  # (account, signer key) in seat order

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["contracts"][name]
        except KeyError:
            raise AttributeError(name) from None

    def domain(self, contract: str) -> Domain:
        return Domain(31337, self.contracts[contract].address)

    # --- time -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return int(self.chain.pending_timestamp)

    def start_of(self, epoch: int) -> int:
        return self.genesis + epoch * self.parameters.epochs.epochLength

    def go_to(self, time: int) -> None:
        """Mine one block at `time`."""
        self.chain.mine(1, timestamp=time)

    def pass_time(self, seconds: int) -> None:
        self.chain.mine(1, deltatime=seconds)

    # --- actors -----------------------------------------------------------------------------------------------

    @property
    def bystander(self) -> Any:
        """An account that nothing was ever deployed from: Ape remembers the types of contracts by address, also those
        of deployments since undone, and decodes the revert of a refused one by what it remembers."""
        return self.accounts[55]

    def stake(self, account: Any, amount: int) -> None:
        self.NetworkToken.approve(self.StakeManager, amount, sender=account)
        self.StakeManager.deposit(account, amount, sender=account)

    def seat_signature(self, account: Any, private_key: bytes) -> bytes:
        nonce = self.ValidatorSet.seatNonce(account)
        claim = messages.SeatClaim(account.address, address_of(private_key), nonce)
        return claim.sign(self.domain("ValidatorSet"), private_key)

    def join(self, account: Any, name: str, stake: int | None = None) -> bytes:
        """Take a seat; returns the signer's key."""
        private_key = key(name)
        self.stake(account, self.ValidatorSet.seatStake() if stake is None else stake)
        signature = self.seat_signature(account, private_key)
        self.ValidatorSet.join(address_of(private_key), endpoint_of(name), b"\1" * 32, signature, sender=account)
        return private_key

    def appoint(self, provider: Any, operator: Any, scopes: int = 31) -> None:
        """Let an operator act for the provider, for ever."""
        self.DeviceRegistry.setOperator(operator, scopes, 2**40 - 1, sender=provider)

    def governed(self, contract: str, method: str, *arguments: Any) -> Any:
        """A call by the timelock, as governance could make it; the receipt."""
        timelock = self.Timelock.address
        self.chain.provider.set_balance(timelock, 10**18)
        return getattr(self.contracts[contract], method)(*arguments, sender=self.accounts[timelock])

    def enrol_signature(self, provider: Any, private_key: bytes, profile_id: int, spec: bytes) -> bytes:
        nonce = self.DeviceRegistry.enrolNonce(address_of(private_key))
        enrol = messages.Enrol(provider.address, profile_id, spec, nonce)
        return enrol.sign(self.domain("DeviceRegistry"), private_key)

    def enrol(self, provider: Any, name: str, profile_id: int = 2) -> Device:
        private_key, spec = key(name), keccak(name.encode())
        self.stake(provider, self.DeviceRegistry.profile(profile_id).stake)
        signature = self.enrol_signature(provider, private_key, profile_id, spec)
        self.DeviceRegistry.enrol(
            address_of(private_key), profile_id, spec, endpoint_of(name), b"\2" * 32, signature,
            sender=provider,
        )  # fmt: skip
        device_id = bytes(self.DeviceRegistry.deviceIdOf(provider, address_of(private_key)))
        return Device(provider, private_key, device_id, self.profile(profile_id))

    def profile(self, profile_id: int) -> Profile:
        p = self.DeviceRegistry.profile(profile_id)
        return Profile(
            profile_id, p.M, p.N, p.K, p.T, p.chunk, p.k, p.W, deadline_ms=p.deadlineMs, credit=p.credit,
            max_gops=p.maxGops, stake=p.stake,
        )  # fmt: skip

    # --- quorum -----------------------------------------------------------------------------------------------

    def quorum(self, digest: bytes, seats: list[int] | None = None) -> tuple[int, bytes]:
        """Mask and signatures of the seats, by default the first that make a quorum."""
        chosen = list(range(quorum.quorum(len(self.seats)))) if seats is None else sorted(seats)
        from assay.protocol.signing import sign_compact

        signatures = b"".join(sign_compact(digest, self.seats[i][1]) for i in chosen)
        return sum(1 << i for i in chosen), signatures
