"""What a validator's process is given, once: chain, clock, signer, peers, devices, randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.validator.follower import Follower
from assay.validator.gossip import Gossiper
from assay.validator.opening_checks import OpeningChecker
from assay.validator.pace import Pace
from assay.validator.ports import ChainReader, ChainWriter, Clock, Devices, Statements
from assay.validator.store import Store
from assay.validator.wake import Wake


@dataclass(frozen=True)
class Services:
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
