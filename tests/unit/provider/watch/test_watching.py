"""What a provider exposes, how it counts its epochs, and that board, alerts and page name nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from assay.chain.rpc.blocks import Block
from assay.daemon.metrics import metrics_text
from assay.network.errors import NetworkError
from assay.protocol.leaves import DeviceLeaf, Flag
from assay.provider.cards.metrics import CardCollector
from assay.provider.pods.pod import HostShare, PodUse
from assay.provider.watch import metrics, results
from assay.provider.watch.account_view import AccountView
from assay.provider.watch.metrics import ProviderWatch
from assay.provider.watch.proof_meter import ProofMeter
from assay.provider.watch.results import BEHIND, EpochResults, outcome_of
from assay.provider.watch.use import UseCollector, UseHistory
from assay.wire.lines import Measured, line_json

ROOT = Path(__file__).resolve().parents[4]
TOKEN, DEVICE = "0x" + "44" * 20, bytes([1]) * 32
FINAL = Block(7, bytes([7]) * 32, bytes([6]) * 32, 1_000, 1)
ROOT_HASH = bytes([3]) * 32


def line(epoch: int, flags: Flag, device_id: bytes = DEVICE) -> Measured:
    return Measured(DeviceLeaf(epoch, device_id, 0, 1, 900, 80_000, 10_000, int(flags), bytes(32)), ())


class Seats:
    """The chain's roots and what each seat answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.roots: dict[int, bytes] = {}
        self.answers: list[Any] = []
        self.asked = 0
        world = self

        class Directory:
            def __init__(self, chain: Any) -> None: ...

            async def current(self, at: Block) -> list[Any]:
                return [
                    SimpleNamespace(endpoint=f"https://192.0.2.{n}:8600", tls_fingerprint=bytes(32))
                    for n in range(1, 1 + len(world.answers))
                ]

        monkeypatch.setattr(results, "SeatDirectory", Directory)

        def parsed(entry: Any, root: bytes) -> Measured:
            assert root == ROOT_HASH
            if entry == {"forged": True}:
                raise results.ReportLineError("the line is not under the root")
            return line(entry["epoch"], Flag(entry["flags"]), bytes.fromhex(entry["deviceId"]))

        monkeypatch.setattr(results, "parse_report_line", parsed)
        chain: Any = self
        client: Any = self
        self.results = EpochResults(chain, client, lambda: {DEVICE: None})

    async def call(self, contract: str, function: str, epoch: int, at: Block) -> bytes:
        return self.roots.get(epoch, bytes(32))

    async def request(self, method: str, endpoint: Any, path: str, **limits: Any) -> Any:
        answer = self.answers[self.asked % len(self.answers)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(status=200 if answer is not None else 404, body=json.dumps(answer).encode())


def told(epoch: int, flags: Flag, device_id: bytes = DEVICE) -> dict[str, Any]:
    return {"epoch": epoch, "flags": int(flags), "deviceId": device_id.hex()}


@pytest.mark.parametrize(
    ("flags", "outcome"),
    [
        (Flag.PASSED, "passed"),
        (Flag.LEASED, "leased"),
        (Flag.PASSED | Flag.LATE, "late"),
        (Flag.BAD_OPENING, "failed"),
        (Flag.UNREACHABLE | Flag.NO_OPENING, "failed"),
        (Flag.PASSED | Flag.BAD_OPENING, "failed"),
    ],
)
def test_outcome__of_a_line__passes_where_it_could_be_leased_by_it(flags: Flag, outcome: str) -> None:
    assert outcome_of(line(5, flags)) == outcome


async def test_follow__each_reported_epoch__is_counted_once_and_lies_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seats = Seats(monkeypatch)
    await seats.results.follow(5, FINAL)  # what was before the start is not its own
    seats.roots = {5: ROOT_HASH}
    seats.answers = [
        NetworkError("silent"),
        {"forged": True},
        told(4, Flag.PASSED),  # another epoch's
        told(5, Flag.PASSED, bytes([9]) * 32),  # another device's
        told(5, Flag.PASSED),
    ]
    await seats.results.follow(6, FINAL)
    await seats.results.follow(6, FINAL)
    assert seats.results.counts["passed"] == 1 and sum(seats.results.counts.values()) == 1


async def test_follow__no_report__is_waited_for_some_epochs_and_nobody_telling_is_untold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seats = Seats(monkeypatch)
    await seats.results.follow(5, FINAL)
    seats.answers = [None]
    await seats.results.follow(6, FINAL)
    assert seats.asked == 0
    seats.roots = {6: ROOT_HASH}
    await seats.results.follow(6 + BEHIND, FINAL)  # epoch 5 was void
    assert seats.results.counts["untold"] == 1 and sum(seats.results.counts.values()) == 1


async def test_meter__a_proof_that_fails__is_counted_and_raised() -> None:
    async def fails() -> None:
        raise ValueError("lost card")

    async def works() -> int:
        return 7

    meter = ProofMeter()
    assert await meter.timed(works()) == 7
    with pytest.raises(ValueError, match="lost card"):
        await meter.timed(fails())
    assert meter.counts == {"made": 1, "failed": 1} and meter.last_s > 0


def scraped() -> list[Any]:
    account = AccountView(
        1.5, {"active": 1.0, "reserved": 1.0, "pending": 0.0}, {TOKEN: 5.0}, {TOKEN: 6.0},
        {(TOKEN, "claimed"): 2.0}, {"active": 1, "retired": 0, "slashed": 0},
    )  # fmt: skip
    untouched: Any = None
    epochs = EpochResults(untouched, untouched, dict)
    watch = ProviderWatch({"ready": True, "block": 9, "epoch": 4}, lambda: 2, ProofMeter(), epochs, account, 0.0)
    report = SimpleNamespace(place="GPU-1", state="idle", proof_s=4.2, proofs=3, restarts=0)
    reading = SimpleNamespace(memory_used=1 << 30, memory_total=1 << 34, temperature=60, ecc_errors=0)
    cards: Any = SimpleNamespace(
        reports=lambda: [report],
        status=lambda: [{"card": "GPU-1", "fault": "heat"}],
        readings=lambda: {"GPU-1": reading},
    )
    pods: Any = SimpleNamespace(known=lambda: [3], use=lambda lease_id: PodUse(1.0, 2.0, 3, 4, 5, 6, 7))
    history = UseHistory(pods)
    history.sample()
    of_pods = UseCollector(history, lambda: {3: HostShare()})
    text = metrics_text(metrics.registry(watch, CardCollector(cards), of_pods)).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def expressions() -> list[str]:
    alerts = yaml.safe_load((ROOT / "ops" / "provider-alerts.yml").read_text())
    board = json.loads((ROOT / "ops" / "provider-board.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    return [rule["expr"] for group in alerts["groups"] for rule in group["rules"]] + [
        target["expr"] for panel in board["panels"] for target in panel["targets"]
    ]


def test_alerts_and_board__every_expression__uses_metrics_labels_and_values_that_a_provider_exposes() -> None:
    samples = scraped()
    exposed = {sample.name for sample in samples}
    values: dict[str, set[str]] = {}
    for sample in samples:
        for label, value in sample.labels.items():
            values.setdefault(label, set()).add(value)
    assert len(expressions()) > 18
    for expression in expressions():
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
        used = set(re.findall(r"\b(?:assay|process|python)_\w+|\bup\b", bare))
        assert used and used - exposed <= {"up"}, expression
        for label, value in re.findall(r'(\w+)=~?"([^"$]*)"', expression):
            if label not in ("instance", "job"):
                assert set(value.split("|")) <= values[label], expression


def test_metrics__all__are_documented() -> None:
    page = (ROOT / "docs" / "how-to" / "provider.md").read_text()
    names = {sample.name for sample in scraped() if sample.name.startswith("assay_")}
    assert len(names) >= 14
    assert [name for name in sorted(names) if name not in page] == []


def test_scrape_and_compose__of_the_provider__name_files_that_are_there() -> None:
    scrape = yaml.safe_load((ROOT / "ops" / "prometheus.yml").read_text())
    assert {"assay-validator", "assay-provider"} == {job["job_name"] for job in scrape["scrape_configs"]}
    assert all((ROOT / "ops" / name).is_file() for name in scrape["rule_files"])
    compose = yaml.safe_load((ROOT / "ops" / "compose.yml").read_text())
    assert compose["services"]["provider"]["profiles"] == ["provider"]
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and Path(source).suffix:
                assert (ROOT / "ops" / source).is_file(), source


def test_line__as_seats_serve_it__is_what_results_parse() -> None:
    """The stand-in above takes a simpler form: the real parser takes what validators write."""
    leaf = line(5, Flag.PASSED).leaf
    with pytest.raises(results.ReportLineError):
        results.parse_report_line(line_json(leaf, ()), ROOT_HASH)
