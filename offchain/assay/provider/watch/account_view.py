"""The account's money as it was last read, for whoever scrapes: a scrape asks the chain nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.stake import read_stake
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority
from assay.provider.account.standing import earnings_of
from assay.provider.devices.device import OwnDevice
from assay.provider.doctor.money import dearest_bonds
from assay.provider.offers.bonds import Bonds
from assay.provider.settings import ProviderSettings

COIN = STAKE = 10**18


@dataclass
class AccountView:
    """Amounts in whole tokens, by token address where they are of tokens of rent."""

    gas: float = 0.0
    stake: dict[str, float] = field(default_factory=dict)
    bond_available: dict[str, float] = field(default_factory=dict)
    bond_needed: dict[str, float] = field(default_factory=dict)
    rent: dict[tuple[str, str], float] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    async def read(
        self, authority: Authority, devices: Mapping[DeviceId, OwnDevice], settings: ProviderSettings
    ) -> None:
        """Reads all of it anew. Raises ChainError, ProviderError."""
        chain = authority.chain
        self.gas = await chain.number("eth_getBalance", [authority.signer, "latest"]) / COIN
        stake = await read_stake(chain, authority.provider)
        self.stake = {
            "active": stake.active / STAKE, "reserved": stake.reserved / STAKE, "pending": stake.pending / STAKE,
        }  # fmt: skip
        bonds = Bonds(chain, authority)
        for token, needed in (await dearest_bonds(settings, chain, devices)).items():
            unit = 10 ** await Erc20(chain, token).decimals()
            self.bond_available[token] = await bonds.available(token) / unit
            self.bond_needed[token] = needed / unit
        for token, sums in (await earnings_of(chain, authority.provider))["rent"].items():
            unit = 10 ** await Erc20(chain, token).decimals()
            for state in ("streamed", "claimed", "claimable"):
                self.rent[token, state] = int(sums[state]) / unit
        statuses = dict.fromkeys((one.name.lower() for one in DeviceStatus if one), 0)
        for device_id in devices:
            row = await chain.call("DeviceRegistry", "device", device_id)
            statuses[DeviceStatus(row.status).name.lower()] = statuses.get(DeviceStatus(row.status).name.lower(), 0) + 1
        self.statuses = statuses
