"""What a validator's process is given, once: chain, clock, signer, peers, devices, randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.validator.chain.follower import Follower
from assay.validator.devices.opening_checks import OpeningChecker
from assay.validator.pace import Pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import ChainReader, ChainWriter, Clock, Devices, Statements
from assay.validator.storage.store import Store
from assay.validator.wake import Wake


@dataclass(frozen=True)
class ValidatorServices:
    """Only wiring takes it whole: each part is handed what it uses. `random` gives fresh bytes of a length."""

    reader: ChainReader
    writer: ChainWriter
    statements: Statements
    gossip: Gossiper
    devices: Devices
    checker: OpeningChecker
    store: Store
    clock: Clock
    wake: Wake
    follower: Follower
    pace: Pace
    random: Callable[[int], bytes]
    keep_openings: int | None = None  # epochs, where longer than until rewards can be claimed
