"""Everything that must be right before a provider can run, looked at one by one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.errors import ChainError
from assay.chain.key_files import Key, open_key
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.network.errors import ListenFailed
from assay.network.server import listening_socket
from assay.protocol.rates import cost
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority, scope_names
from assay.provider.assembly import runtime_choice
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import read_inventory
from assay.provider.devices.registered import device_keys, load_devices, started_prices
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import ProviderError
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.terms import TermsFile
from assay.provider.runtime.selection import select_runtime
from assay.provider.settings import ProviderSettings

CLOCK_TOLERANCE_S = 30
MIN_COIN = 10**16


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is fine, and what was found or is to be done."""

    check: str
    fine: bool
    found: str


async def examine(settings: ProviderSettings) -> list[Finding]:
    """All checks that can be made; those that need the chain are left out where it does not answer."""
    findings: list[Finding] = []

    async def check(name: str, look: Callable[[], Awaitable[str]]) -> None:
        try:
            findings.append(Finding(name, True, await look()))
        except (ProviderError, ChainError) as error:
            findings.append(Finding(name, False, str(error)))

    await check("devices", _devices)
    await check("port", lambda: _port(settings))
    try:
        chain = await open_chain(settings)
    except ChainError as error:
        return [*findings, Finding("chain", False, str(error))]
    try:
        await check("chain", lambda: _chain(chain))
        await check("runtime", lambda: _runtime(settings, chain))
        provider = _Provider(settings, chain)
        await check("key", provider.key)
        await check("operator", provider.operator)
        await check("enrolment", provider.enrolment)
        await check("bonds", provider.bonds)
    finally:
        await chain.close()
    return findings


async def _devices() -> str:
    inventory = read_inventory()
    models = ", ".join(f"{one.model} ({one.memory_mib} MiB)" for one in inventory.accelerators)
    if inventory.faults:
        raise ProviderError(f"{'; '.join(map(str, inventory.faults))}; what can be used: {models}")
    return models if inventory.has_gpu else f"{models}; {inventory.reason}"


async def _port(settings: ProviderSettings) -> str:
    try:
        listening_socket(settings.host, settings.port).close()
    except ListenFailed as error:
        raise ProviderError(str(error)) from None
    return f"{settings.host}:{settings.port} is free"


async def _chain(chain: Chain) -> str:
    block = await chain.finalised()
    behind = time.time() - block.timestamp
    if behind > CLOCK_TOLERANCE_S * 40 or behind < -CLOCK_TOLERANCE_S:
        raise ProviderError(
            f"the latest final block is {behind:.0f} s behind this machine's clock: set the clock, or use "
            "a node that has caught up"
        )
    return f"chain {chain.chain_id}, final block {block.number}"


async def _runtime(settings: ProviderSettings, chain: Chain) -> str:
    return f"{select_runtime(runtime_choice(settings), chain.chain_id).name} works"


class _Provider:
    """The key at hand, what it may do and pay for, and its devices; each key file is opened once."""

    def __init__(self, settings: ProviderSettings, chain: Chain) -> None:
        self._settings = settings
        self._chain = chain

    @cached_property
    def _authority(self) -> Authority:
        key = open_key(self._settings.key_file, self._settings.password_file)
        return Authority(self._chain, self._settings.provider or key.address, key.address)

    @cached_property
    def _device_keys(self) -> list[Key]:
        return device_keys(self._settings)

    async def _devices(self) -> dict[DeviceId, OwnDevice]:
        kept = Specifications(self._settings.data_dir)
        return await load_devices(self._chain, self._authority.provider, self._device_keys, kept)

    async def key(self) -> str:
        """Whether it can pay for gas, and what stake there is."""
        signer, provider = self._authority.signer, self._authority.provider
        coin = await self._chain.number("eth_getBalance", [signer, "latest"])
        if coin < MIN_COIN:
            raise ProviderError(f"{signer} holds {coin} wei: it needs some to pay for transactions")
        free = int(await self._chain.call("StakeManager", "freeStake", provider))
        return f"{signer}, {coin / 1e18:.4f} coin; {provider} has {free / 1e18:.2f} free stake"

    async def operator(self) -> str:
        """Who acts for the provider, what it lacks, and where the money goes."""
        authority, receiver = self._authority, self._settings.receiver
        payout = await authority.payout()
        if not authority.is_operator:
            return f"the provider's own key, on which stake and payout depend; rent goes to {receiver or payout}"
        if receiver is not None and receiver != payout:
            raise ProviderError(
                f"receiver {receiver}: what an operator claims goes to the provider's payout address, {payout}; "
                "`assay provider payout` changes it"
            )
        appointment = await authority.appointment()
        has = f"{authority.signer} has {scope_names(appointment.scopes)} until {appointment.until}"
        if missing := await authority.lacking():
            raise ProviderError(f"{has}; it lacks {scope_names(missing)}: `assay provider operator add` appoints it")
        return f"{has}; rent goes to {payout}"

    async def enrolment(self) -> str:
        """Which devices are on the market."""
        devices = await self._devices()
        active = [device for device in devices.values() if device.status is DeviceStatus.ACTIVE]
        if not active:
            raise ProviderError(f"none of {len(devices)} devices is active: enrol another with `assay provider enrol`")
        return f"{len(active)} of {len(devices)} devices are enrolled and active"

    async def bonds(self) -> str:
        """Whether the bond of the dearest offer in each token is there."""
        terms = TermsFile(self._settings.data_dir).read()
        started = await started_prices(self._settings, self._chain, await self._devices())
        prices = [*started.values(), *terms.prices.values(), *(node.price for node in terms.nodes.values())]
        dearest: dict[str, int] = {}
        for price in prices:
            dearest[price.token] = max(dearest.get(price.token, 0), cost(price.rate, price.min_duration))
        bonds = Bonds(self._chain, self._authority)
        for token, bond in dearest.items():
            await bonds.require(token, bond)
        return ", ".join([await bonds.told(token, bond) for token, bond in dearest.items()]) or "nothing is priced yet"
