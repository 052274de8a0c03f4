"""Everything that must be right before a provider can run, looked at one by one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.key_files import load, password
from assay.provider.assembly import device_keys, load_devices, runtime_choice
from assay.provider.errors import ProviderError
from assay.provider.http_server import listening_socket
from assay.provider.inventory import read_inventory
from assay.provider.runtime.selection import select_runtime
from assay.provider.settings import ProviderSettings
from assay.provider.specifications import Specifications

CLOCK_TOLERANCE_S = 30
LEAST_COIN = 10**16


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
        chain = await Chain.connect(
            settings.rpc, Deployment.load(settings.deployment), final_depth=settings.final_depth
        )
    except ChainError as error:
        return [*findings, Finding("chain", False, str(error))]
    try:
        await check("chain", lambda: _chain(chain))
        await check("runtime", lambda: _runtime(settings, chain))
        await check("key", lambda: _key(settings, chain))
        await check("enrolment", lambda: _enrolment(settings, chain))
    finally:
        await chain.close()
    return findings


async def _devices() -> str:
    inventory = read_inventory()
    models = ", ".join(f"{one.model} ({one.memory_mib} MiB)" for one in inventory.accelerators)
    return models if inventory.has_gpu else f"{models}; {inventory.reason}"


async def _port(settings: ProviderSettings) -> str:
    listening_socket(settings.host, settings.port).close()
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


async def _key(settings: ProviderSettings, chain: Chain) -> str:
    key = load(settings.key_file, password(settings.password_file))
    coin = int(await chain.rpc("eth_getBalance", [key.address, "latest"]), 16)
    if coin < LEAST_COIN:
        raise ProviderError(f"{key.address} holds {coin} wei: it needs some to pay for transactions")
    free = int(await chain.call("StakeManager", "freeStake", key.address))
    return f"{key.address}, {coin / 1e18:.4f} coin, {free / 1e18:.2f} free stake"


async def _enrolment(settings: ProviderSettings, chain: Chain) -> str:
    key = load(settings.key_file, password(settings.password_file))
    devices = await load_devices(chain, key.address, device_keys(settings), Specifications(settings.data_dir))
    return f"{len(devices)} devices are enrolled and active"
