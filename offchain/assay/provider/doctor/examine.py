"""All checks, in the order in which a new provider meets them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.leases import active_lease
from assay.chain.errors import ChainError
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.doctor import host, serving
from assay.provider.doctor.findings import Answer, Finding, Findings, Level, Wrong
from assay.provider.doctor.money import AccountCheck
from assay.provider.doctor.names import names
from assay.provider.errors import ProviderError
from assay.provider.settings import ProviderSettings

CLOCK_TOLERANCE_S = 30
MAX_BEHIND_S = 1_200


async def examine(settings: ProviderSettings) -> list[Finding]:
    """All checks that can be made; those that need the chain are left out where it does not answer."""
    findings = Findings()
    await findings.check("devices", host.devices)
    daemon = await serving.running_daemon(settings)
    try:
        chain = await open_chain(settings)
    except ChainError as error:
        await findings.check("port", lambda: serving.port(settings, daemon, settings.provider))
        await findings.check("ssh", lambda: serving.ssh_port(settings, daemon))
        return [*findings.all, Finding("chain", Level.FAIL, str(error), "skipped the checks that need it")]
    try:
        await _with_chain(settings, chain, daemon, findings)
    finally:
        await chain.close()
    return findings.all


async def _with_chain(
    settings: ProviderSettings, chain: Chain, daemon: dict[str, object] | None, findings: Findings
) -> None:
    account = AccountCheck(settings, chain)
    devices: dict[DeviceId, OwnDevice] = {}
    try:
        provider: str | None = account.authority.provider
        devices = await account.devices()
    except (ProviderError, ChainError):  # told by the checks that follow
        provider = settings.provider
    count = len(devices)
    promised = [one.host for one in devices.values() if one.status is DeviceStatus.ACTIVE]
    await findings.check("clock", lambda: clock(chain))
    await findings.check("chain", lambda: _finality(chain))
    await findings.check("runtime", lambda: host.runtime(settings, chain))
    await findings.check("pods", lambda: host.pods(settings, promised))
    await findings.check("image", lambda: host.image(settings))
    await findings.check("disk", lambda: host.disk(settings, count))
    await findings.check("port", lambda: serving.port(settings, daemon, provider))
    await findings.check("ssh", lambda: serving.ssh_port(settings, daemon))
    await findings.check("names", lambda: names(settings))
    await findings.check("key", account.key)
    await findings.check("operator", account.operator)
    await findings.check("enrolment", account.enrolment)
    if devices:
        await findings.check("cards", lambda: _cards(settings, chain, devices))
        await findings.check("endpoint", lambda: serving.registered(settings, chain, devices))
        await findings.check("reachable", lambda: serving.reachable(settings, chain, devices, daemon))
    await findings.check("bonds", account.bonds)


async def _cards(settings: ProviderSettings, chain: Chain, devices: Mapping[DeviceId, OwnDevice]) -> Answer:
    return await host.cards(settings, devices, [one for one in devices if await active_lease(chain, one, "latest")])


async def clock(chain: Chain) -> Answer:
    """This machine's clock beside that of the newest block. Raises Wrong."""
    ahead = (await chain.head()).timestamp - time.time()
    if ahead > CLOCK_TOLERANCE_S:
        raise Wrong(
            f"the newest block is {ahead:.0f} s in this machine's future: requests and challenges would be refused",
            "set the clock: `timedatectl set-ntp true`",
        )
    return Answer(f"the newest block is {-ahead:.0f} s old")


async def _finality(chain: Chain) -> Answer:
    block = await chain.finalised()
    behind = time.time() - block.timestamp
    if behind > MAX_BEHIND_S:
        raise Wrong(
            f"the latest final block is {behind:.0f} s behind this machine's clock",
            "set the clock, or use a node that has caught up",
        )
    return Answer(f"chain {chain.chain_id}, final block {block.number}")
