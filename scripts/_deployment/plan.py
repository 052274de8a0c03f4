"""What is deployed in which order, with which arguments.

The contracts name each other in their constructors and hold those names for ever, so each address is computed from the
deployer's nonce before the first of them exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rlp
from eth_utils import is_address, keccak, to_canonical_address, to_checksum_address

from scripts._deployment.parameters import BadParameters, Parameters

Addresses = dict[str, str]


@dataclass(frozen=True)
class Step:
    """One contract; `arguments` in the order of its constructor, once all addresses are known."""

    name: str
    arguments: Callable[[Addresses], list[Any]]


def create_address(deployer: str, nonce: int) -> str:
    """Address of the contract that `deployer` creates with its transaction `nonce`."""
    return to_checksum_address(keccak(rlp.encode([to_canonical_address(deployer), nonce]))[12:])


def predicted(steps: list[Step], deployer: str, first_nonce: int) -> Addresses:
    return {step.name: create_address(deployer, first_nonce + i) for i, step in enumerate(steps)}


def steps(p: Parameters, genesis: int) -> list[Step]:
    """In an order in which every constructor can ask those before it what it asserts."""
    e = p.epochs
    timing = (
        genesis, e.epochLength, e.openBy, e.sealBy, e.drawBy, e.reportBy, e.drawDelay, e.proofWindow,
    )  # fmt: skip
    profiles = [(q.M, q.N, q.K, q.T, q.chunk, q.k, q.W, q.deadlineMs, q.credit, q.maxGops, q.stake) for q in p.profiles]
    allocations = [(a.account, a.amount) for a in p.token.allocations]
    r, g, b = p.rewards, p.governance, p.registry
    schedule = (genesis, e.epochLength, r.initialEmission, r.eraEpochs)
    bounds = (b.minStake, b.maxStake, b.workPerCredit, b.maxDeadlineMs)
    demand_terms = (p.proofs.unitBond, p.proofs.referenceBaseFee, p.proofs.answerWindow)
    reward_terms = (r.providerBps, r.maxPerCredit, r.claimDelay, r.longClaimDelay)
    lease_terms = (p.leases.holdback, p.leases.maxDowntime, p.leases.maxAge, p.leases.feeBps)

    plan = [
        Step("Timelock", lambda a: [g.timelockDelay, g.longestDelay, g.proposers, g.executors]),
        Step(
            "Authority",
            lambda a: [
                a["Timelock"],
                g.guardian,
                [a["DeviceRegistry"], a["ValidatorSet"], a["LeaseEscrow"]],
                a["RewardsDistributor"],
            ],
        ),
        Step(
            "NetworkToken",
            lambda a: [
                p.token.name,
                p.token.symbol,
                p.token.cap,
                a["Authority"],
                a["RewardsDistributor"],
                schedule,
                allocations,
            ],
        ),
        Step("EpochOracle", lambda a: [a["ValidatorSet"], a["RewardsDistributor"], timing]),
        Step(
            "ValidatorSet",
            lambda a: [
                a["Authority"],
                a["EpochOracle"],
                a["StakeManager"],
                a["FraudProofs"],
                p.seats.seatStake,
                p.seats.idleEpochs,
            ],
        ),
        Step(
            "DeviceRegistry",
            lambda a: [
                a["Authority"],
                a["StakeManager"],
                a["EpochOracle"],
                a["FraudProofs"],
                a["OpeningDemands"],
                a["LeaseEscrow"],
                bounds,
                profiles,
            ],
        ),
        Step(
            "FraudProofs",
            lambda a: [
                a["EpochOracle"],
                a["DeviceRegistry"],
                a["StakeManager"],
                a["ValidatorSet"],
                a["OpeningDemands"],
                p.proofs.commitLifetime,
            ],
        ),
        Step(
            "OpeningDemands",
            lambda a: [a["EpochOracle"], a["DeviceRegistry"], a["FraudProofs"], a["NetworkToken"], demand_terms],
        ),
        Step(
            "StakeManager",
            lambda a: [
                a["Authority"],
                a["NetworkToken"],
                a["DeviceRegistry"],
                a["ValidatorSet"],
                a["FraudProofs"],
                a["EpochOracle"],
                a["Timelock"],
                p.proofs.answerWindow,
                p.stakes.unbondingPeriod,
                p.stakes.slashHold,
                p.stakes.bountyBps,
            ],
        ),
        Step(
            "RewardsDistributor",
            lambda a: [a["Authority"], a["NetworkToken"], a["EpochOracle"], a["Timelock"], reward_terms],
        ),
    ]
    if (t := p.testToken) is not None:
        plan.append(Step("TestToken", lambda a: [t.name, t.symbol, t.decimals]))
    plan.append(
        Step(
            "LeaseEscrow",
            lambda a: [
                a["Authority"],
                a["EpochOracle"],
                a["DeviceRegistry"],
                a["StakeManager"],
                lease_terms,
                lease_tokens(p, a),
            ],
        )
    )
    return plan


def lease_tokens(p: Parameters, addresses: Addresses) -> list[tuple[str, int]]:
    """Raises BadParameters for a token that is neither an address nor a token of this deployment."""
    tokens = []
    for entry in p.leases.tokens:
        text = f"0x{entry.token:040x}" if isinstance(entry.token, int) else entry.token
        address = to_checksum_address(text) if is_address(text) else addresses.get(text)
        if address is None:
            raise BadParameters(f"leases.tokens: {entry.token!r} is no address and not deployed here")
        tokens.append((address, entry.feeFloor))
    return tokens
