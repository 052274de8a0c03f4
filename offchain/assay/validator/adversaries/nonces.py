"""Answers to a challenge that leave out, repeat or make up nonces; judged by the rule that validators seal by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from assay.proof.adversaries.attack import Attack
from assay.protocol.encoding import u256
from assay.protocol.hexadecimal import address_bytes
from assay.protocol.keccak import keccak
from assay.protocol.messages import Challenge, Commitment
from assay.protocol.profile import NAMED
from assay.protocol.quorum import quorum
from assay.protocol.signing import Domain, address_of, sign_compact
from assay.protocol.types import DeviceId, Root, Seed
from assay.validator.rules.commitments import check_commitment
from assay.validator.rules.values import EpochDevice, RuleError, Seat
from assay.wire.measurement import SignedChallenge, SignedCommitment

_SEATS, _EPOCH, _PROFILE = 7, 3, NAMED["micro"]
_BETA = Seed(keccak(b"nonces epoch"))
_DOMAIN = Domain(31_337, "0x" + "11" * 20)
_KEYS = {address_of(key): key for key in (keccak(b"seat" + bytes([n])) for n in range(_SEATS))}
_ACCOUNTS = sorted(_KEYS, key=address_bytes)
_DEVICE_KEY = keccak(b"device key")
_DEVICE = EpochDevice(
    DeviceId(keccak(b"device")), "0x" + "22" * 20, address_of(_DEVICE_KEY), _PROFILE.id, "", leased=False
)

Change = Callable[[list[SignedChallenge], np.random.Generator], list[SignedChallenge]]


@dataclass(frozen=True)
class _Answer:
    """What a device sends back: it signs whatever nonces it chose to use."""

    used: list[SignedChallenge]

    def refused(self) -> bool:
        # By hand: the protocol's own function refuses lists that are not ascending.
        root = keccak(b"".join(u256(c.validator) + c.nonce for c in self.used))
        message = Commitment(_EPOCH, _PROFILE.job_hash(_BETA), _DEVICE.device_id, root, Root(keccak(root)))
        held = SignedCommitment.of(message, self.used, sign_compact(message.digest(_DOMAIN), _DEVICE_KEY))
        try:
            seats = [Seat(account, account) for account in _ACCOUNTS]
            check_commitment(held, _EPOCH, _BETA, _DEVICE, _PROFILE, seats, _DOMAIN)
        except RuleError:
            return True
        return False


def _challenge(account: str, key: bytes, nonce: bytes) -> SignedChallenge:
    message = Challenge(_EPOCH, _BETA, _DEVICE.device_id, account, nonce)
    return SignedChallenge.of(message, sign_compact(message.digest(_DOMAIN), key))


def _answered(change: Change) -> Callable[[int], bool]:
    def trial(seed: int) -> bool:
        random = np.random.default_rng(seed)
        asked = [_challenge(account, _KEYS[account], random.bytes(32)) for account in _ACCOUNTS]
        return _Answer(change(asked, random)).refused()

    return trial


def _dropped(asked: list[SignedChallenge], random: np.random.Generator) -> list[SignedChallenge]:
    """One fewer than a quorum, whichever suit the device."""
    kept = sorted(random.choice(len(asked), quorum(_SEATS) - 1, replace=False).tolist())
    return [asked[n] for n in kept]


def _repeated(asked: list[SignedChallenge], random: np.random.Generator) -> list[SignedChallenge]:
    """A quorum in number, of which one seat twice."""
    kept = _dropped(asked, random)
    return sorted([*kept, kept[int(random.integers(len(kept)))]], key=lambda c: address_bytes(c.validator))


def _made_up(asked: list[SignedChallenge], random: np.random.Generator) -> list[SignedChallenge]:
    """A quorum in number, of which one nonce is the device's own choice, under a seat's old signature."""
    kept = asked[: quorum(_SEATS)]
    n = int(random.integers(len(kept)))
    return [*kept[:n], replace(kept[n], nonce=random.bytes(32)), *kept[n + 1 :]]


def _quorum(asked: list[SignedChallenge], random: np.random.Generator) -> list[SignedChallenge]:
    return asked[: quorum(_SEATS)]


ATTACKS = [
    Attack("dropped-nonces", "nonces of all but one fewer than a quorum dropped", _answered(_dropped)),
    Attack("repeated-nonce", "one seat's nonce twice, to make up a quorum", _answered(_repeated)),
    Attack("made-up-nonce", "a nonce of the device's own choice under a seat's signature", _answered(_made_up)),
    Attack("honest-quorum", "an honest device that heard from a quorum only", _answered(_quorum), 0.0, honest=True),
]
