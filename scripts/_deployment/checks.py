"""What is read from the chain and compared with the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_utils import keccak

from scripts._deployment.creation import creation_differs
from scripts._deployment.holders import function_roles_of, holders_of, logs_of
from scripts._deployment.parameters import Parameters
from scripts._deployment.plan import lease_tokens, predicted, steps

ADMIN, GUARDIAN = 0, 1
NEVER = (1 << 64) - 1  # the last epoch of a minter that is not followed by another
PAUSES = ("pauseEntry(uint40)", "resumeEntry()")
GUARDED = {  # what the guardian may call
    "DeviceRegistry": PAUSES,
    "ValidatorSet": PAUSES,
    "LeaseEscrow": PAUSES,
    "RewardsDistributor": ("veto(uint64)",),
}
WIRING = {
    "EpochOracle": {"validatorSet": "ValidatorSet", "schedule": "RewardsDistributor"},
    "ValidatorSet": {
        "oracle": "EpochOracle",
        "stakeManager": "StakeManager",
        "fraudProofs": "FraudProofs",
        "authority": "Authority",
    },
    "DeviceRegistry": {
        "stakeManager": "StakeManager",
        "fraudProofs": "FraudProofs",
        "openingDemands": "OpeningDemands",
        "leaseEscrow": "LeaseEscrow",
        "authority": "Authority",
    },
    "FraudProofs": {
        "oracle": "EpochOracle",
        "deviceRegistry": "DeviceRegistry",
        "stakeManager": "StakeManager",
        "validatorSet": "ValidatorSet",
        "openingDemands": "OpeningDemands",
    },
    "OpeningDemands": {
        "oracle": "EpochOracle",
        "deviceRegistry": "DeviceRegistry",
        "fraudProofs": "FraudProofs",
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
    "NetworkToken": {"minter": "RewardsDistributor", "authority": "Authority"},
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
    for step in plan:
        transaction, arguments = data["contracts"][step.name].get("transaction"), step.arguments(expected)
        if wrong := creation_differs(provider, getattr(project, step.name), arguments, transaction):
            found.append(f"{step.name}: {wrong}")
    contracts = {
        name: getattr(project, name).at(address, fetch_from_explorer=False) for name, address in recorded.items()
    }
    for name, expected_value, actual in (
        *_wiring(contracts, recorded),
        *_parameters(p, contracts, data["genesis"]),
        *_roles(p, contracts, recorded, provider, data["block"]),
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
        yield f"profile {number} ({q.name}) closed", False, c["DeviceRegistry"].profileClosed(number)
    yield "DeviceRegistry.profileCount", len(p.profiles), c["DeviceRegistry"].profileCount()
    b = p.registry
    bounds = [b.minStake, b.maxStake, b.workPerCredit, b.maxDeadlineMs]
    yield "DeviceRegistry.profileBounds", bounds, list(c["DeviceRegistry"].profileBounds())
    yield "FraudProofs.commitLifetime", p.proofs.commitLifetime, c["FraudProofs"].commitLifetime()
    demand_terms = [p.proofs.unitBond, p.proofs.referenceBaseFee, p.proofs.answerWindow]
    yield "OpeningDemands.terms", demand_terms, list(c["OpeningDemands"].terms())
    for name in ("unbondingPeriod", "slashHold", "bountyBps"):
        yield f"StakeManager.{name}", getattr(p.stakes, name), getattr(c["StakeManager"], name)()
    yield from _emission(p, c["RewardsDistributor"], c["NetworkToken"], genesis)
    escrow = c["LeaseEscrow"]
    for name in ("holdback", "maxDowntime", "maxAge", "feeBps"):
        yield f"LeaseEscrow.{name}", getattr(p.leases, name), getattr(escrow, name)()
    for token, floor in lease_tokens(p, {name: contract.address for name, contract in c.items()}):
        yield f"LeaseEscrow.tokenAllowed({token})", True, escrow.tokenAllowed(token)
        yield f"LeaseEscrow.feeFloorOf({token})", floor, escrow.feeFloorOf(token)
    yield "LeaseEscrow.forfeitHold", p.stakes.slashHold, escrow.forfeitHold()
    yield "Timelock.getMinDelay", p.governance.timelockDelay, c["Timelock"].getMinDelay()
    yield "Timelock.longestDelay", p.governance.longestDelay, c["Timelock"].longestDelay()


def _emission(p: Parameters, rewards: Any, token: Any, genesis: int) -> Iterator[tuple[str, Any, Any]]:
    """The curve, which the token holds, and its first minter, which nobody has followed."""
    r, length = p.rewards, p.epochs.epochLength
    pool = r.initialEmission * r.providerBps // 10_000
    yield "RewardsDistributor.emission(0)", [pool, r.initialEmission - pool, r.maxPerCredit], list(rewards.emission(0))
    for name in ("claimDelay", "longClaimDelay"):
        yield f"RewardsDistributor.{name}", getattr(r, name), getattr(rewards, name)()
    yield "RewardsDistributor.lastEpoch", NEVER, rewards.lastEpoch()
    yield "NetworkToken.cap", p.token.cap, token.cap()
    yield "NetworkToken.schedule", [genesis, length, r.initialEmission, r.eraEpochs], list(token.schedule())
    for epoch, emitted in ((r.eraEpochs - 1, r.initialEmission), (r.eraEpochs, r.initialEmission // 2)):
        yield f"NetworkToken.emissionAt({epoch})", emitted, token.emissionAt(epoch)


def _roles(
    p: Parameters, c: dict[str, Any], addresses: dict[str, str], provider: Any, block: int
) -> Iterator[tuple[str, Any, Any]]:
    """Every role is held by whom the parameters name and by nobody else, the deployer included."""
    authority_logs = logs_of(provider, addresses["Authority"], block)
    g, timelock = p.governance, c["Timelock"]
    expected = {"administers": {addresses["Timelock"]}, "guards": {g.guardian}}
    held = holders_of(authority_logs)
    for verb, role in (("administers", ADMIN), ("guards", GUARDIAN)):
        yield f"Authority: who {verb}", sorted(expected[verb]), sorted(held.pop(role, set()))
    yield "Authority: holders of other roles", {}, held

    held = holders_of(logs_of(provider, addresses["Timelock"], block))
    for name, holders in (
        ("DEFAULT_ADMIN_ROLE", [addresses["Timelock"]]),
        ("PROPOSER_ROLE", g.proposers),
        ("CANCELLER_ROLE", g.proposers),
        ("EXECUTOR_ROLE", g.executors),
    ):
        role = int.from_bytes(bytes(getattr(timelock, name)()))
        yield f"Timelock: holders of {name}", sorted(set(holders)), sorted(held.pop(role, set()))
    yield "Timelock: holders of other roles", {}, held

    guarded = {
        (addresses[name], keccak(method.encode())[:4]): GUARDIAN
        for name, methods in GUARDED.items()
        for method in methods
    }
    actual = function_roles_of(authority_logs)
    names = {address: name for name, address in addresses.items()}
    for target, selector in sorted(guarded.keys() | actual.keys()):
        where = f"Authority: role of {names.get(target, target)}, function 0x{selector.hex()}"
        yield where, guarded.get((target, selector), ADMIN), actual.get((target, selector), ADMIN)
