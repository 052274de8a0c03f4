"""The providers of a local network: one by its own key, one whose host has an operator's key and a node of devices."""

from __future__ import annotations

import json
from dataclasses import dataclass

from assay.devnet.network import Network, listen
from assay.devnet.ports import free_ports
from assay.devnet.processes import Child

CHEATING = "skipped-rows:0.3"
PRICE_PER_HOUR = {"north": "3.20", "south": "4.40", "cheat": "0.60"}  # test dollars; of a node for all of it
REGIONS = {"north": "eu-north", "south": "eu-south"}
MIN_DURATION = "10"
NODE = "pair"
NODE_DEVICES = 2
# What a thief of the host's key could lock up, in all and in a day: cents are what bonds of ten seconds are.
CREDIT, CREDIT_A_DAY = "5", "1"
SCOPES = "offer,start,end,claim"


@dataclass(frozen=True)
class Host:
    """Who acts for a provider on its machine, and where what it collects goes."""

    operator: str
    payout: str


def host_of(provider: str) -> Host:
    """The names of a provider's operator and of its payout address."""
    return Host(f"{provider}-host", f"{provider}-vault")


async def set_up(network: Network, name: str) -> None:
    """Stakes and enrols, and where an operator runs the host, appoints it and puts the devices on offer together."""
    if name not in network.plan.operated:
        await enrol(network, name)
        return
    host, dollars = host_of(name), network.dollars
    # All with the provider's own key: from here on it could be taken offline.
    first = await enrol(network, name)
    second = str(network.workspace.data / name / "devices" / "second.json")
    devices = [first, await enrol(network, name, "--device-key", second)]
    operator, payout = (network.participants[one].address for one in (host.operator, host.payout))
    for order in (
        ("operator", "add", operator, "--scopes", SCOPES, "--yes"),
        ("payout", payout, "--yes"),
        ("credit", "fill", CREDIT, "--token", dollars, "--yes"),
        ("credit", "limit", CREDIT_A_DAY, "--token", dollars, "--yes"),
    ):
        await network.assay(name, "provider", *order)
    await price_node(network, name, PRICE_PER_HOUR[name], devices)


async def enrol(network: Network, name: str, *more: str, data: str | None = None) -> str:
    """Enters a device of the provider in the registry; its id."""
    where = (
        "--endpoint", network.endpoints[data or name], "--region", REGIONS.get(name, ""),
        "--runtime", network.plan.runtime,
    )  # fmt: skip
    enrolled = await network.assay(name, "provider", "enrol", *where, *more, "-o", "json", data=data)
    return str(json.loads(enrolled)["deviceId"])


async def price_node(network: Network, name: str, price: str, devices: list[str]) -> None:
    """Puts the devices on offer together; no transaction."""
    terms = (NODE, price, *devices, "--token", network.dollars, "--min-duration", MIN_DURATION)
    await network.assay(name, "provider", "node", "set", *terms, unlocks=False)


def start_provider(network: Network, name: str, engine: str, data: str | None = None) -> Child:
    """Starts a provider's daemon, by its operator's key where it has one; `data` as in `Network.options`."""
    folder = data or name
    command = [
        "assay", "provider", "run", *listen(network, folder),
        "--engine", engine,
        "--runtime", network.plan.runtime,
        "--ssh-port", str(network.ssh_ports.get(folder) or free_ports(1)[0]),
        "--min-duration", MIN_DURATION,
    ]  # fmt: skip
    if name in network.plan.operated:
        acts_for = ["--provider", network.participants[name].address]
        command += [*acts_for, *network.options(host_of(name).operator, data=folder)]
    else:
        price = ["--token", network.dollars, "--price-per-hour", PRICE_PER_HOUR.get(name, "1.00")]
        command += [*price, *network.options(name, data=data)]
    return network.processes.start(folder, command, network.workspace.log(folder))
