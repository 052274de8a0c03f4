"""A report's lines, fetched from a validator and checked against the chain."""

from __future__ import annotations

import json
import urllib.request

from assay.devnet.errors import DevnetError
from assay.devnet.ledger import Ledger
from assay.devnet.network import Network
from assay.devnet.outcome import DeviceResult
from assay.protocol.flags import Flag
from assay.protocol.hexadecimal import to_hex
from assay.protocol.report_lines import Measured, parse_report_line

MAX_INDEX = 4 << 20


def flag_names(flags: int) -> list[str]:
    """Names of the bits set, as people read them."""
    return [one.name.lower().replace("_", " ") for one in Flag if one and flags & one and one.name]


def read_report(network: Network, epoch: int) -> list[DeviceResult]:
    """All device lines of a reported epoch. Raises DevnetError where one does not stand on the chain."""
    ledger = network.ledger
    root = next(
        bytes(log["args"]["devicesRoot"])
        for log in ledger.events("EpochOracle", "EpochReported")
        if log["args"]["epoch"] == epoch
    )
    url = f"{network.endpoints['validator-1']}/v1/epochs/{epoch}"
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
        index = json.loads(response.read(MAX_INDEX))
    return [_result(network, ledger, parse_report_line(entry, root)) for entry in index["devices"]]


def _result(network: Network, ledger: Ledger, measured: Measured) -> DeviceResult:
    leaf = measured.leaf
    if not ledger.contract("EpochOracle").functions.verifyDevice(leaf.values(), measured.proof).call():
        raise DevnetError(f"{to_hex(leaf.device_id)}: its line in epoch {leaf.epoch} is not on the chain")
    provider = str(ledger.contract("DeviceRegistry").functions.device(leaf.device_id).call()[0])
    return DeviceResult(
        device_id=to_hex(leaf.device_id),
        provider=network.name_of(provider),
        address=provider,
        flags=flag_names(leaf.flags),
        score_gops=leaf.score_gops,
        uptime_bps=leaf.uptime_bps,
    )
