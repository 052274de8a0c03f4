"""One address of every page, over the invented network."""

from __future__ import annotations

from .seeded import CHEAT, DEVICES, NODE_IDS, OPERATORS, PROVEN_AT, PROVIDERS, RENTER, h

DEVICE = "0x" + DEVICES[0].hex()
NODE = "0x" + NODE_IDS[1].hex()
# name -> path; each has a picture in docs/images/market
PICTURED = {
    "market": "/",
    "table": "/?view=table",
    "compare": f"/compare?listing={DEVICE}&listing=0x{DEVICES[3].hex()}&listing={NODE}",
    "device": f"/devices/{DEVICE}",
    "node": f"/nodes/{NODE}",
    "slashed": f"/devices/0x{CHEAT.hex()}",
    "evidence": f"/epochs/22/evidence/{DEVICE}",
    "rent": f"/rent/{DEVICE}",
    "pending": "/leases/4",
    "lease": "/leases/2",
    "early": "/leases/5",
    "ended": "/leases/3",
    "provider": f"/accounts/{PROVIDERS[1]}",
    "provide": "/provide",
    "validators": "/validators",
    "slashes": "/slashes",
    "transaction": f"/transactions/0x{h(f'tx {PROVEN_AT}').hex()}",
    "network": "/network",
    "epoch": "/epochs/22",
    "api": "/api",
}
PAGES = PICTURED | {
    "nothing found": "/?model=none",
    "cannot be rented": f"/rent/0x{CHEAT.hex()}",
    "renter": f"/accounts/{RENTER}",
    "rent node": f"/rent/{NODE}",
    "several models": f"/nodes/0x{NODE_IDS[2].hex()}",
    "on offer with others": f"/devices/0x{DEVICES[14].hex()}",
    "running": "/leases/1",
    "slashed lease": "/leases/6",
    "operator": f"/accounts/{OPERATORS[0]}",
    "nothing compared": "/compare",
    "void epoch": "/epochs/11",
    "missing": "/leases/999",
}
