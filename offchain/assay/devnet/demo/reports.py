"""A report's lines, of devices and rewards, fetched from a validator and checked against the chain."""

from __future__ import annotations

import json
import urllib.request
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError

from assay.devnet.demo.outcome import DeviceResult
from assay.devnet.errors import DevnetError
from assay.devnet.ledger import Ledger
from assay.devnet.network import Network
from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import Flag
from assay.protocol.types import Root
from assay.wire import paths
from assay.wire.epoch_index import EpochIndex
from assay.wire.limits import MAX_INDEX_BYTES
from assay.wire.lines import Measured, parse_report_line, parse_reward_line


def flag_names(flags: int) -> list[str]:
    """Names of the bits set, as people read them."""
    return [one.name.lower().replace("_", " ") for one in Flag if one and flags & one and one.name]


def read_report(network: Network, epoch: int) -> list[DeviceResult]:
    """All device lines of an epoch. Raises DevnetError where it is not reported, or a line is not on the chain."""
    ledger = network.ledger
    reported = (log["args"] for log in ledger.events("EpochOracle", "EpochReported"))
    root = next((Root(bytes(args["devicesRoot"])) for args in reported if args["epoch"] == epoch), None)
    if root is None:
        raise DevnetError(f"epoch {epoch} was not reported")
    lines = _index(network, epoch).lines
    return [_result(network, ledger, parse_report_line(entry, root)) for entry in lines]


def first_good_report(network: Network, since: int = 0) -> tuple[int, list[DeviceResult]] | None:
    """The first report from epoch `since` on in which all honest providers pass; None before."""
    honest = set(network.plan.providers) - network.plan.skips_rows
    for log in network.ledger.events("EpochOracle", "EpochReported"):
        epoch = int(log["args"]["epoch"])
        if epoch < since:
            continue
        devices = read_report(network, epoch)
        if honest <= {one.provider for one in devices if one.flags == ["passed"]}:
            return epoch, devices
    return None


def read_earned(network: Network) -> dict[str, int]:
    """What each provider and validator has earned by the newest report that is served, base units, by name.

    Raises DevnetError where none is.
    """
    epoch, root = _newest_served(network)
    return {
        name: _earned(network, epoch, root, network.participants[name].address)
        for name in network.endpoints
        if name in network.participants
    }


def _newest_served(network: Network) -> tuple[int, Root]:
    reports = {log["args"]["epoch"]: log["args"] for log in network.ledger.events("EpochOracle", "EpochReported")}
    for epoch, reported in sorted(reports.items(), reverse=True):
        # The newest is taken over once its block is final.
        served = _index(network, epoch).report
        if served is not None and served.rewards_root == bytes(reported["rewardsRoot"]):
            return int(epoch), Root(bytes(reported["rewardsRoot"]))
    raise DevnetError("validator-1 serves none of the reports on the chain")


def _earned(network: Network, epoch: int, root: Root, address: str) -> int:
    entry = _published(network, paths.epoch_reward(epoch, address))
    # An account that no report has rewarded has no line.
    return 0 if entry is None else parse_reward_line(entry, root).leaf.cumulative


def _index(network: Network, epoch: int) -> EpochIndex:
    served = _published(network, paths.epoch(epoch))
    return EpochIndex() if served is None else EpochIndex.from_json(served)


def _published(network: Network, path: str) -> Any:
    """What validator-1 serves there; None where it has nothing."""
    url = network.endpoints["validator-1"] + path
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
            return json.loads(response.read(MAX_INDEX_BYTES))
    except HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return None
        raise


def _result(network: Network, ledger: Ledger, measured: Measured) -> DeviceResult:
    leaf = measured.leaf
    if not ledger.contract("EpochOracle").functions.verifyDevice(leaf.values(), measured.proof).call():
        raise DevnetError(f"{to_hex(leaf.device_id)}: its line in epoch {leaf.epoch} is not on the chain")
    provider = str(ledger.fields("DeviceRegistry", "device", leaf.device_id)["provider"])
    return DeviceResult(
        device_id=to_hex(leaf.device_id),
        provider=network.name_of(provider),
        address=provider,
        flags=flag_names(leaf.flags),
        score_gops=leaf.score_gops,
        uptime_bps=leaf.uptime_bps,
    )
