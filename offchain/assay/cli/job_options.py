"""Options that name a job of a device, given in full to commit to it and in
part to check a file against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from assay.proof.statement import JobStatement
from assay.protocol.hexadecimal import parse_address, parse_bytes32
from assay.protocol.profile import NAMED, Profile, ProfileError
from assay.protocol.types import DeviceId

ChainId = Annotated[int, typer.Option("--chain-id", help="chain of the oracle")]
Oracle = Annotated[str, typer.Option("--oracle", help="address of EpochOracle")]
Epoch = Annotated[int, typer.Option("--epoch", help="number of the epoch")]
Beacon = Annotated[str, typer.Option("--beacon", help="the epoch's beacon, 32 bytes as 0x…")]
Device = Annotated[str, typer.Option("--device", help="deviceId, 32 bytes as 0x…")]
NonceRoot = Annotated[str, typer.Option("--nonce-root", help="nonceRoot, 32 bytes as 0x…")]
ProfileName = Annotated[
    str | None, typer.Option("--profile-name", help="profile to take the sizes from, such as micro, edge or datacenter")
]
RowsPerRound = Annotated[int | None, typer.Option("--m", help="M, rows a round")]
Columns = Annotated[int | None, typer.Option("--n", help="N, columns")]
InnerLength = Annotated[int | None, typer.Option("--k", help="K, inner length, a multiple of 64")]
Rounds = Annotated[int | None, typer.Option("--rounds", help="T, rounds")]
Chunk = Annotated[int | None, typer.Option("--chunk", help="int32 in a Merkle leaf")]
ProfileId = Annotated[int | None, typer.Option("--profile", help="profile id that is hashed into the seed")]

_SAMPLES = 64  # rows sampled where sizes are given and nothing else is said


@dataclass(frozen=True, slots=True)
class Job:
    """The options as given; None where they were not."""

    profile_name: str | None
    m: int | None
    n: int | None
    k: int | None
    rounds: int | None
    chunk: int | None
    profile: int | None
    chain_id: int | None
    oracle: str | None
    epoch: int | None
    beacon: str | None
    device: str | None
    nonce_root: str | None

    def sizes(self) -> Profile:
        """The profile that the options describe. Raises ProfileError."""
        given = {"--m": self.m, "--n": self.n, "--k": self.k, "--rounds": self.rounds, "--chunk": self.chunk}
        if self.profile_name is not None:
            if self.profile_name not in NAMED:
                raise ProfileError(f"--profile-name {self.profile_name}: choose one of {', '.join(NAMED)}")
            extra = [name for name, value in given.items() if value is not None]
            if extra:
                raise ProfileError(f"--profile-name takes the place of {', '.join(extra)}: give one or the other")
            named = NAMED[self.profile_name]
            if self.profile in (None, named.id):
                return named
            return Profile(
                int(self.profile or 0), named.M, named.N, named.K, named.T, named.chunk, named.k, named.W
            ).validate()
        missing = [name for name, value in {**given, "--profile": self.profile}.items() if value is None]
        if missing:
            raise ProfileError(f"{', '.join(missing)} missing: give all sizes, or --profile-name {'|'.join(NAMED)}")
        m, n, k, rounds, chunk = (int(value or 0) for value in given.values())
        window = min(rounds, 8)
        return Profile(int(self.profile or 0), m, n, k, rounds, chunk, _SAMPLES, max(window, 0)).validate()

    def check(self) -> None:
        """Every option that was given is well formed. Raises ValueError naming it."""
        for name, text in (("beacon", self.beacon), ("device", self.device), ("nonce-root", self.nonce_root)):
            if text is not None:
                parse_bytes32(text, f"--{name}")
        if self.oracle is not None:
            parse_address(self.oracle, "--oracle")
        for name, value, bits in (("chain-id", self.chain_id, 256), ("epoch", self.epoch, 64)):
            if value is not None and not 0 <= value < 1 << bits:
                raise ValueError(f"--{name} {value}: must be a number of {bits} bits, not negative")

    def statement(self) -> JobStatement:
        """The whole job. Raises ValueError naming what is wrong with which option."""
        self.check()
        if (
            self.chain_id is None
            or self.oracle is None
            or self.epoch is None
            or self.beacon is None
            or self.device is None
            or self.nonce_root is None
        ):
            raise ValueError("--chain-id, --oracle, --epoch, --beacon, --device and --nonce-root are all required")
        return JobStatement(
            self.sizes(),
            self.chain_id,
            parse_address(self.oracle, "--oracle"),
            self.epoch,
            parse_bytes32(self.beacon, "--beacon"),
            DeviceId(parse_bytes32(self.device, "--device")),
            parse_bytes32(self.nonce_root, "--nonce-root"),
        )

    def disagreement(self, statement: JobStatement) -> str | None:
        """The first option that says something else than a file's statement, in words; None if they agree."""
        p = statement.profile
        named = NAMED.get(self.profile_name) if self.profile_name else None
        if self.profile_name and named is None:
            raise ProfileError(f"--profile-name {self.profile_name}: choose one of {', '.join(NAMED)}")
        pairs: list[tuple[str, object, object]] = [
            ("--m", self.m, p.M),
            ("--n", self.n, p.N),
            ("--k", self.k, p.K),
            ("--rounds", self.rounds, p.T),
            ("--chunk", self.chunk, p.chunk),
            ("--profile", self.profile, p.id),
            ("--chain-id", self.chain_id, statement.chain_id),
            ("--epoch", self.epoch, statement.epoch),
            ("--oracle", self.oracle and parse_address(self.oracle), statement.oracle),
            ("--beacon", self.beacon and parse_bytes32(self.beacon), statement.beacon),
            ("--device", self.device and parse_bytes32(self.device), statement.device_id),
            ("--nonce-root", self.nonce_root and parse_bytes32(self.nonce_root), statement.nonce_root),
        ]
        if named is not None:
            shape = (p.M, p.N, p.K, p.T, p.chunk)
            pairs.append(("--profile-name", (named.M, named.N, named.K, named.T, named.chunk), shape))
        for option, given, held in pairs:
            if given is not None and given != held:
                return f"the openings belong to another job: {option} differs from the file's {_shown(held)}"
        return None


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
