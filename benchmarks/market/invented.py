"""Listings of an invented network of any size, written the way the indexer writes them."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from sqlalchemy import Engine, delete, insert

from assay.market.projection.listings import facets
from assay.market.store.database import analyse
from assay.market.store.tables import facet_counts, listings
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_address
from assay.sheet.model_names import named_model

# name, memory in GiB, giga-operations a second, price an hour
MODELS = (
    ("B200", 180, 1_900_000, 4.2), ("H200", 141, 800_000, 3.1), ("H100 SXM", 80, 620_000, 2.4),
    ("H100 PCIe", 80, 480_000, 2.0), ("A100 80GB", 80, 240_000, 1.1), ("A100 40GB", 40, 240_000, 0.8),
    ("L40S", 48, 210_000, 0.79), ("L4", 24, 90_000, 0.35), ("A6000", 48, 120_000, 0.5), ("A40", 48, 110_000, 0.4),
    ("A10", 24, 80_000, 0.3), ("RTX 5090", 32, 450_000, 0.7), ("RTX 4090", 24, 330_000, 0.45),
    ("RTX 4080", 16, 190_000, 0.3), ("RTX 3090", 24, 110_000, 0.22), ("RTX 3080", 10, 95_000, 0.15),
    ("RTX 3060", 12, 50_000, 0.08), ("V100", 32, 60_000, 0.25), ("T4", 16, 40_000, 0.1), ("MI300X", 192, 700_000, 2.6),
)  # fmt: skip
REGIONS = ("eu-north", "eu-west", "us-east", "us-west", "ap-south", "ap-east", "sa-east")
STATES = ("available", "leased", "unpriced", "failing", "new", "retired", "slashed")
SHARES = (55, 25, 5, 6, 3, 5, 1)
# How many of a listing's devices are leased together; nodes are on offer or leased.
GPUS, GPU_SHARES = (1, 2, 4, 8, 16), (70, 8, 8, 12, 2)
TOKENS = tuple(to_address(bytes([n]) * 20) for n in (1, 2, 3))
PIECE = 25_000


def row(choice: random.Random) -> dict[str, Any]:
    """One listing."""
    model, gib, gops, price = choice.choice(MODELS)
    gpus = choice.choices(GPUS, GPU_SHARES)[0]
    state = choice.choices(STATES, SHARES)[0] if gpus == 1 else choice.choice(("available", "leased"))
    score = 0 if state == "new" else int(gops * choice.uniform(0.85, 1.05))
    priced = state in ("available", "leased")
    rate = int(gpus * price * choice.uniform(0.6, 1.9) * 10**6 / 3600 * 10**18) if priced else None
    listing_id = choice.randbytes(32)
    return {
        "listing_id": listing_id,
        "device_ids": tuple(choice.randbytes(32) for _ in range(gpus)) if gpus > 1 else (listing_id,),
        "gpus": gpus,
        "state": state,
        "provider": to_address(choice.randrange(2_000).to_bytes(20, "big")),
        "profile": choice.randint(1, 5),
        "model": model,
        "region": choice.choice(REGIONS),
        "memory_mib": gib * 1024,
        "memory_proven": True,
        "score_gops": score,
        "uptime_bps": choice.randint(9_000, 10_000),
        "reliability_bps": min(10_000, choice.randint(9_000, 10_300)),
        "measured_epoch": 1_000,
        "passed_epoch": 1_000,
        "flags": 1,
        "enrolled_at": 1_700_000_000,
        "operator": ZERO_ADDRESS if priced else None,
        "token": choice.choice(TOKENS) if priced else None,
        "rate": rate,
        "unit_rate": rate // max(score * gpus, 1) if rate is not None else None,
        "min_duration": 600,
        "max_duration": choice.choice((3_600, 86_400, 30 * 86_400)),
        "notice": choice.choice((0, 0, 3_600)),
        "offer": choice.randbytes(32) if priced else None,
        "valid_until": 1_900_000_000 if priced else 0,
        "busy_until": 0,
        "changes_at": 1_900_000_000 if priced else 0,
        "model_name": named_model(model, gib * 1024).name,
        "declared_mib": gib * 1024,
        "memory_gb": named_model(model, gib * 1024).memory_gb,
        "expected_gops": gops,
        "host_cores": 8 * gpus,
        "host_memory_mib": 65_536 * gpus,
        "host_disk_mib": 512_000 * gpus,
        "measured_epochs": 1_000,
        "reliability_low_bps": 9_000,
        "provider_slashes": int(choice.random() < 0.01),
        "rank_rate": rate * 10_000 // (gpus * 9_000) if rate is not None else None,
        "memory_read_gbs": 131,
        "bf16_tflops": gops // 2_000,
        "bandwidth_gbs": gops // 400,
        "driver": "570.86",
        "cuda": choice.choice((1204, 1206, 1208)),
        "pcie_mbs": choice.choice((31_504, 63_008)),
        "card_link_mbs": 0,
        "cards_in_host": gpus,
        "cpu_mhz": choice.randint(2_000, 5_000),
        "disk_read_mbs": choice.randint(500, 12_000),
        "disk_write_mbs": choice.randint(300, 6_000),
        "network_up_mbps": choice.choice((500, 1_000, 10_000)),
        "network_down_mbps": choice.choice((500, 1_000, 10_000)),
        "of_expected_bps": score * 10_000 // gops,
    }


class Network:
    """Grows: each size holds the devices of the smaller ones."""

    def __init__(self, engine: Engine, seed: int = 1) -> None:
        self._engine = engine
        self._choice = random.Random(seed)
        self._counts: Counter[tuple[Any, ...]] = Counter()
        self._written = 0

    def grow_to(self, count: int) -> None:
        """Writes listings up to `count` of them, and their facet counts."""
        while self._written < count:
            rows = [row(self._choice) for _ in range(min(PIECE, count - self._written))]
            self._counts.update(facets(r) for r in rows)
            write(self._engine, rows)
            self._written += len(rows)
        names = [column.name for column in facet_counts.primary_key.columns]
        lines = [dict(zip(names, key, strict=True)) | {"count": n} for key, n in self._counts.items()]
        with self._engine.begin() as connection:
            connection.execute(delete(facet_counts))
            connection.execute(insert(facet_counts), lines)
        analyse(self._engine)


def write(engine: Engine, rows: list[dict[str, Any]]) -> None:
    """The rows as the driver takes them: going through SQLAlchemy's types takes ten times as long."""
    names = [column.name for column in listings.columns]
    kinds = {c.name: c.type.bind_processor(engine.dialect) for c in listings.columns}
    values = [tuple(kind(r[n]) if (kind := kinds[n]) else r[n] for n in names) for r in rows]
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            marks = ",".join("?" * len(names))
            connection.exec_driver_sql(f"INSERT INTO listings ({','.join(names)}) VALUES ({marks})", values)
            return
        driver: Any = connection.connection.cursor()
        with driver, driver.copy(f"COPY listings ({','.join(names)}) FROM STDIN") as copy:
            for line in values:
                copy.write_row([b"" + v if isinstance(v, memoryview) else v for v in line])
