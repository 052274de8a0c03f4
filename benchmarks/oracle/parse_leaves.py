"""How long a process takes to read and write the 100,000 leaves that a content may hold: median of five, in seconds.

python benchmarks/oracle/parse_leaves.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, SealedLeaf
from assay.wire.canonical import encode
from assay.wire.leaves import DevicesBody, SealedBody
from assay.wire.limits import MAX_CONTENT_BYTES, MAX_LEAVES

RUNS = 5


def measured(work: Callable[[], object]) -> float:
    """Seconds, the median of a few runs."""
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def main() -> None:
    ids = [keccak(b"device" + n.to_bytes(4, "big")) for n in range(MAX_LEAVES)]
    devices = DevicesBody(
        epoch=7,
        leaves=tuple(DeviceLeaf(7, one, n, 3, 1_000 + n, 81_920, 10_000, 1, keccak(one)) for n, one in enumerate(ids)),
    )
    sealed = SealedBody(epoch=7, leaves=tuple(SealedLeaf(one, *(keccak(one),) * 6) for one in ids))
    for name, body in (("devices", devices), ("sealed", sealed)):
        content = encode(body.to_json())
        read = measured(lambda body=body, content=content: type(body).parse(content))
        written = measured(lambda body=body: encode(body.to_json()))
        share = len(content) / MAX_CONTENT_BYTES
        size = f"{len(content) / 1e6:.1f} MB ({share:.0%} of what is taken)"
        print(f"{name}: {size}, read {read:.2f} s, written {written:.2f} s")


if __name__ == "__main__":
    main()
