"""What is read from the chain and compared with the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_utils import keccak

from scripts._deployment.parameters import Parameters
from scripts._deployment.plan import lease_tokens, predicted, steps

ADMIN, GUARDIAN = 0, 1
WIRING = {
    "EpochOracle": {"validatorSet": "ValidatorSet", "schedule": "RewardsDistributor"},
    "ValidatorSet": {
        "oracle": "EpochOracle",
        "stakeManager": "StakeManager",
        "fraudProofs": "FraudProofs",
        "authority": "Authority",
    },
    "DeviceRegistry": {
        "oracle": "EpochOracle",
        "stakeManager": "StakeManager",
        "fraudProofs": "FraudProofs",
        "authority": "Authority",
    },
    "FraudProofs": {
        "oracle": "EpochOracle",
        "deviceRegistry": "DeviceRegistry",
        "stakeManager": "StakeManager",
        "validatorSet": "ValidatorSet",
        "token": "NetworkToken",
    },
    "StakeManager": {
        "token": "NetworkToken",
        "deviceRegistry": "DeviceRegistry",
        "validatorSet": "ValidatorSet",
        "fraudProofs": "FraudProofs",
        "authority": "Authority",
    },
    "RewardsDistributor": {"token": "NetworkToken", "oracle": "EpochOracle", "authority": "Authority"},
    "LeaseEscrow": {
        "oracle": "EpochOracle",
        "deviceRegistry": "DeviceRegistry",
        "authority": "Authority",
    },
    "NetworkToken": {"minter": "RewardsDistributor"},
}


def differences(p: Parameters, project: Any, provider: Any, data: dict[str, Any]) -> list[str]:
    """One line for each thing that is not as it should be."""
    plan = steps(p, data["genesis"])
    expected = predicted(plan, data["deployer"], data["firstNonce"])
    recorded = {name: entry["address"] for name, entry in data["contracts"].items()}
    found = [
        f"{name}: recorded at {recorded.get(name)}, belongs at {address}"
        for name, address in expected.items()
        if recorded.get(name) != address
    ]
    found += [f"{name}: no code at {a}" for name, a in recorded.items() if not provider.get_code(a)]
    if found:
        return found
    contracts = {
        name: getattr(project, name).at(address, fetch_from_explorer=False) for name, address in recorded.items()
    }
    for name, expected_value, actual in (
        *_wiring(contracts, recorded),
        *_parameters(p, contracts, data["genesis"]),
        *_roles(p, contracts, recorded, data["deployer"]),
    ):
        if expected_value != actual:
            found.append(f"{name}: should be {expected_value!r}, is {actual!r}")
    return found


def _wiring(contracts: dict[str, Any], addresses: dict[str, str]) -> Iterator[tuple[str, Any, Any]]:
    for name, links in WIRING.items():
        for getter, target in links.items():
            yield f"{name}.{getter}", addresses[target], str(getattr(contracts[name], getter)())


def _parameters(p: Parameters, c: dict[str, Any], genesis: int) -> Iterator[tuple[str, Any, Any]]:
    e = p.epochs
    timing = [genesis, e.epochLength, e.openBy, e.sealBy, e.drawBy, e.reportBy, e.drawDelay, e.proofWindow]
    yield "EpochOracle.timing", timing, list(c["EpochOracle"].timing())
    yield "ValidatorSet.seatStake", p.seats.seatStake, c["ValidatorSet"].seatStake()
    yield "ValidatorSet.idleEpochs", p.seats.idleEpochs, c["ValidatorSet"].idleEpochs()
    for number, q in enumerate(p.profiles, 1):
        wanted = [q.M, q.N, q.K, q.T, q.chunk, q.k, q.W, q.deadlineMs, q.credit, q.maxGops, q.stake]
        yield f"profile {number} ({q.name})", wanted, list(c["DeviceRegistry"].profile(number))
    yield "FraudProofs.commitLifetime", p.proofs.commitLifetime, c["FraudProofs"].commitLifetime()
    yield "FraudProofs.answerWindow", p.proofs.answerWindow, c["FraudProofs"].answerWindow()
    yield "FraudProofs.demandBond", p.proofs.demandBond, c["FraudProofs"].demandBond()
    yield "StakeManager.unbondingPeriod", p.stakes.unbondingPeriod, c["StakeManager"].unbondingPeriod()
    yield "StakeManager.bountyBps", p.stakes.bountyBps, c["StakeManager"].bountyBps()
    r, rewards = p.rewards, c["RewardsDistributor"]
    pool = r.initialEmission * r.providerBps // 10_000
    yield "emission(0)", [pool, r.initialEmission - pool, r.maxPerCredit], list(rewards.emission(0))
    last = r.eraEpochs - 1
    yield "scheduleLimit", r.initialEmission * r.eraEpochs, rewards.scheduleLimit(last)
    yield "RewardsDistributor.claimDelay", r.claimDelay, rewards.claimDelay()
    yield "NetworkToken.cap", p.token.cap, c["NetworkToken"].cap()
    escrow = c["LeaseEscrow"]
    for name in ("holdback", "maxDowntime", "maxAge", "feeBps"):
        yield f"LeaseEscrow.{name}", getattr(p.leases, name), getattr(escrow, name)()
    for token, floor in lease_tokens(p, {name: contract.address for name, contract in c.items()}):
        yield f"LeaseEscrow.tokenAllowed({token})", True, escrow.tokenAllowed(token)
        yield f"LeaseEscrow.feeFloorOf({token})", floor, escrow.feeFloorOf(token)
    yield "Timelock.getMinDelay", p.governance.timelockDelay, c["Timelock"].getMinDelay()


def _roles(
    p: Parameters, c: dict[str, Any], addresses: dict[str, str], deployer: str
) -> Iterator[tuple[str, Any, Any]]:
    authority, timelock, g = c["Authority"], c["Timelock"], p.governance
    yield "Authority: timelock is admin", True, authority.hasRole(ADMIN, addresses["Timelock"])[0]
    yield "Authority: deployer is admin", False, authority.hasRole(ADMIN, deployer)[0]
    yield "Authority: guardian guards", True, authority.hasRole(GUARDIAN, g.guardian)[0]
    yield "Authority: deployer guards", g.guardian == deployer, authority.hasRole(GUARDIAN, deployer)[0]
    admin = timelock.DEFAULT_ADMIN_ROLE()
    yield "Timelock: administers itself", True, timelock.hasRole(admin, addresses["Timelock"])
    yield "Timelock: deployer is admin", False, timelock.hasRole(admin, deployer)
    for role, holders in (("PROPOSER_ROLE", g.proposers), ("EXECUTOR_ROLE", g.executors)):
        identifier = getattr(timelock, role)()
        for holder in holders:
            yield f"Timelock: {holder} has {role}", True, timelock.hasRole(identifier, holder)
        yield f"Timelock: deployer has {role}", deployer in holders, timelock.hasRole(identifier, deployer)
    for name in ("DeviceRegistry", "ValidatorSet", "LeaseEscrow"):
        for method in ("pauseEntry(uint40)", "resumeEntry()"):
            selector = keccak(method.encode())[:4]
            role = authority.getTargetFunctionRole(addresses[name], selector)
            yield f"Authority: role of {name}.{method}", GUARDIAN, role
