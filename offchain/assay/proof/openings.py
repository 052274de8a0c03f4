"""The bytes of an opening, with every limit checked before anything is parsed.

An opening is, in this order and with nothing around it:

    T round roots                       32 · T bytes
    then for each of the rows asked for, in the order asked, duplicates repeated:
        row i of C_t                    4 · N bytes, int32 little-endian
        siblings from the row's subtree
        up to root_t                    32 · log2(M) bytes, bottom-up

The profile and the number of rows fix its length to the byte: an opening of any other length is refused
unread, and
a receiver stops reading a response at `length(profile, count)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.proof.errors import OpeningError
from assay.protocol.profile import Profile

# Far above any profile's, and the limits of what is read: with them a verifier stays far below a gibibyte.
MAX_ROWS = 8_192
MAX_COLUMNS = 1 << 16
MAX_ROUNDS = 1 << 20
MAX_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Opening:
    """A parsed opening; the arrays are read-only views of the bytes received."""

    roots: NDArray[np.uint8]  # (T, 32)
    rows: NDArray[np.int32]  # (count, N)
    paths: NDArray[np.uint8]  # (count, log2(M), 32)

    @property
    def round_roots(self) -> list[bytes]:
        """root_0 .. root_{T-1}."""
        return [root.tobytes() for root in self.roots]


def path_length(profile: Profile) -> int:
    """Siblings from a row's subtree to its round's root: log2(M)."""
    return profile.M.bit_length() - 1


def _record(profile: Profile) -> np.dtype[np.void]:
    return np.dtype([("row", "<i4", (profile.N,)), ("path", "u1", (path_length(profile), 32))])


def length(profile: Profile, count: int) -> int:
    """Bytes of an opening of `count` rows."""
    return 32 * profile.T + count * (4 * profile.N + 32 * path_length(profile))


def encode(roots: Sequence[bytes], rows: NDArray[np.int32], paths: NDArray[np.uint8], profile: Profile) -> bytes:
    """The bytes of an opening.

    Args:
        roots: T round roots of 32 bytes.
        rows: int32 of shape (count, N).
        paths: uint8 of shape (count, log2(M), 32).
        profile: fixes the shapes.
    """
    records = np.zeros(len(rows), dtype=_record(profile))
    records["row"] = rows
    records["path"] = paths
    return b"".join(roots) + records.tobytes()


def check_sizes(profile: Profile, count: int) -> None:
    """Raises OpeningError for no rows, or for sizes beyond what is read; nothing has been read then."""
    if count < 1:
        raise OpeningError("an opening of no rows proves nothing")
    for what, size, most in (
        ("rows", count, MAX_ROWS),
        ("columns", profile.N, MAX_COLUMNS),
        ("rounds", profile.T, MAX_ROUNDS),
        ("bytes", length(profile, count), MAX_BYTES),
    ):
        if size > most:
            raise OpeningError(f"an opening of {size} {what}: at most {most} are read")


def decode(data: bytes, profile: Profile, count: int) -> Opening:
    """Parses an opening of exactly `count` rows. Nothing is copied.

    Raises:
        OpeningError: as `check_sizes`, or a length other than `length(profile, count)`.
    """
    check_sizes(profile, count)
    expected = length(profile, count)
    if len(data) != expected:
        raise OpeningError(f"opening has {len(data)} bytes, expected {expected} for {count} rows")
    head = 32 * profile.T
    roots = np.frombuffer(data, dtype=np.uint8, count=head).reshape(profile.T, 32)
    records = np.frombuffer(data, dtype=_record(profile), count=count, offset=head)
    return Opening(roots, records["row"], records["path"])
