"""What pays: gas, the operator's scopes, devices on the market, their prices, and the bonds of their leases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from assay.chain.contracts.amounts import show_amount, utc
from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.erc20 import Erc20
from assay.chain.key_files import Key, open_key
from assay.chain.rpc.client import Chain
from assay.protocol.rates import cost
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority, scope_names
from assay.provider.account.next_steps import MIN_COIN
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.registered import device_keys, load_devices, started_prices
from assay.provider.devices.specifications import Specifications
from assay.provider.doctor.findings import Answer, Wrong, warn
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.terms import TermsFile
from assay.provider.settings import ProviderSettings


class AccountCheck:
    """The key at hand, what it may do and pay for, and its devices; each key file is opened once."""

    def __init__(self, settings: ProviderSettings, chain: Chain) -> None:
        self._settings = settings
        self._chain = chain

    @cached_property
    def authority(self) -> Authority:
        """Raises ChainError where the key file cannot be opened."""
        key = open_key(self._settings.key_file, self._settings.password_file)
        return Authority(self._chain, self._settings.provider or key.address, key.address)

    @cached_property
    def _device_keys(self) -> list[Key]:
        return device_keys(self._settings)

    async def devices(self) -> dict[DeviceId, OwnDevice]:
        """Those whose keys are here. Raises ProviderError, ChainError."""
        kept = Specifications(self._settings.data_dir)
        return await load_devices(self._chain, self.authority.provider, self._device_keys, kept)

    async def key(self) -> Answer:
        """Whether it can pay for gas, and what stake there is."""
        signer, provider = self.authority.signer, self.authority.provider
        coin = await self._chain.number("eth_getBalance", [signer, "latest"])
        if coin < MIN_COIN:
            raise Wrong(
                f"{signer} holds {show_amount(coin, 18)} coin: it needs some to pay for transactions",
                f"send it {show_amount(MIN_COIN, 18)} coin or more",
            )
        free = int(await self._chain.call("StakeManager", "freeStake", provider))
        return Answer(f"{signer}, {coin / 1e18:.4f} coin; {provider} has {free / 1e18:.2f} free stake")

    async def operator(self) -> Answer:
        """Who acts for the provider, what it lacks, and where the money goes."""
        authority, receiver = self.authority, self._settings.receiver
        payout = await authority.payout()
        if not authority.is_operator:
            return warn(
                f"the provider's own key, on which stake and payout depend; rent goes to {receiver or payout}",
                "keep it offline: `assay provider operator add` appoints a key for this host",
            )
        if receiver is not None and receiver != payout:
            raise Wrong(
                f"receiver {receiver}: what an operator claims goes to the provider's payout address, {payout}",
                "`assay provider payout` changes it",
            )
        appointment = await authority.appointment()
        has = f"{authority.signer} has {scope_names(appointment.scopes)} until {utc(appointment.until)}"
        if missing := await authority.lacking():
            text, todo = f"{has}; it lacks {scope_names(missing)}", "`assay provider operator add` appoints it"
            if scope_names(missing) != "endpoint":
                raise Wrong(text, todo)
            has = f"{has} (not endpoint: only the account announces another address)"
        return Answer(f"{has}; rent goes to {payout}")

    async def enrolment(self) -> Answer:
        """Which devices are on the market."""
        devices = await self.devices()
        active = [device for device in devices.values() if device.status is DeviceStatus.ACTIVE]
        if not active:
            raise Wrong(
                f"none of {len(devices)} devices is active",
                "enrol another with `assay provider enrol --device-key NEW`",
            )
        return Answer(f"{len(active)} of {len(devices)} devices are enrolled and active")

    async def bonds(self) -> Answer:
        """Whether the bond of the dearest offer in each token is there."""
        dearest = await dearest_bonds(self._settings, self._chain, await self.devices())
        if not dearest:
            return warn(
                "nothing is priced yet: nothing is on offer",
                "`assay provider run --token TOKEN --price-per-hour AMOUNT`, or `assay provider price`",
            )
        bonds = Bonds(self._chain, self.authority)
        for token, bond in dearest.items():
            if text := await bonds.shortfall(token, bond):
                raise Wrong(text, await bond_todo(self._chain, self.authority, token, bond))
        return Answer(", ".join([await bonds.told(token, bond) for token, bond in dearest.items()]))


async def dearest_bonds(
    settings: ProviderSettings, chain: Chain, devices: Mapping[DeviceId, OwnDevice]
) -> dict[str, int]:
    """The largest bond that an offer in each token needs, base units. Raises ProviderError, ChainError."""
    terms = TermsFile(settings.data_dir).read()
    started = await started_prices(settings, chain, devices)
    prices = [*started.values(), *terms.prices.values(), *(node.price for node in terms.nodes.values())]
    dearest: dict[str, int] = {}
    for price in prices:
        dearest[price.token] = max(dearest.get(price.token, 0), cost(price.rate, price.min_duration))
    return dearest


async def bond_todo(chain: Chain, authority: Authority, token: str, bond: int) -> str:
    """The line that puts a bond there. For each device that is leased at once there must be one."""
    erc20 = Erc20(chain, token)
    decimals, symbol = await erc20.decimals(), await erc20.symbol()
    amount = show_amount(bond, decimals)
    if not authority.is_operator:
        return f"send {amount} {symbol} or more to {authority.provider}: the bond of a lease comes out of its account"
    options = f"--token {token}"
    return (
        f"with the provider's own key: `assay provider credit fill {amount} {options}` and "
        f"`assay provider credit limit {amount} {options}`, or more of each for several leases a day"
    )
