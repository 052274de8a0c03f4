"""One address of every page, over the invented network."""

from __future__ import annotations

from .seeded import CHEAT, DEVICES, PROVEN_AT, PROVIDERS, RENTER, h

DEVICE = "0x" + DEVICES[0].hex()
# name -> path; each has a picture in docs/images/market
PICTURED = {
    "market": "/",
    "compare": f"/compare?device={DEVICE}&device=0x{DEVICES[3].hex()}&device=0x{DEVICES[4].hex()}",
    "device": f"/devices/{DEVICE}",
    "slashed": f"/devices/0x{CHEAT.hex()}",
    "evidence": f"/epochs/22/evidence/{DEVICE}",
    "rent": f"/rent/{DEVICE}",
    "pending": "/leases/4",
    "lease": "/leases/1",
    "ended": "/leases/3",
    "provider": f"/accounts/{PROVIDERS[1]}",
    "validators": "/validators",
    "slashes": "/slashes",
    "transaction": f"/transactions/0x{h(f'tx {PROVEN_AT}').hex()}",
    "network": "/network",
    "epoch": "/epochs/22",
}
PAGES = PICTURED | {
    "nothing found": "/?model=none",
    "cannot be rented": f"/rent/0x{CHEAT.hex()}",
    "renter": f"/accounts/{RENTER}",
    "nothing compared": "/compare",
    "void epoch": "/epochs/11",
    "missing": "/leases/999",
}
