"""What is 32 bytes but not the same thing.

For readers and the type checker alone: values become one of these where they are made, parsed or read from the chain.
"""

from __future__ import annotations

from typing import NewType

DeviceId = NewType("DeviceId", bytes)
Root = NewType("Root", bytes)  # of a tree: of a result, of lanes, of a seal, of a report
Seed = NewType("Seed", bytes)  # β of an epoch, s_0 of a device
Rho = NewType("Rho", bytes)  # ρ, which draws what is opened

NO_ROOT, NO_SEED, NO_RHO = Root(bytes(32)), Seed(bytes(32)), Rho(bytes(32))
