"""Every setting and every metric of the daemon stands in the operator's page; alerts and board use real metrics."""

from __future__ import annotations

import asyncio
import configparser
import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from assay.daemon.metrics import metrics_text
from assay.validator import doctor, metrics
from assay.validator.settings import ValidatorSettings
from assay.validator.settings_file import settings_text
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "operations.md").read_text()
SOURCE = Path(metrics.__file__).read_text()
NAMES = {name if name != "assay_epochs" else "assay_epochs_total" for name in re.findall(r'"(assay_[a-z_]+)"', SOURCE)}


def test_settings__all__are_documented_with_their_description():
    for name, info in ValidatorSettings.model_fields.items():
        assert f"| `{name}` | `ASSAY_{name.upper()}` |" in PAGE
        assert info.description in PAGE


def test_settings_file__as_written__is_read_back(tmp_path, monkeypatch):
    monkeypatch.delenv("ASSAY_RPC", raising=False)
    path = tmp_path / "validator.toml"
    values = {"rpc": ["http://a:1", "http://b:2"], "port": 9_001, "key_file": 'odd "name".json', "final_depth": 3}
    text = settings_text(values)
    path.write_text("\n".join(line for line in text.splitlines() if not line.endswith("=")))
    settings = ValidatorSettings.load({"port": 9_002}, path)
    assert (settings.rpc, settings.port, settings.final_depth) == (["http://a:1", "http://b:2"], 9_002, 3)
    assert str(settings.key_file) == 'odd "name".json'


def test_metrics__all__are_documented():
    assert len(NAMES) >= 15
    assert [name for name in NAMES if name not in PAGE] == []


@pytest.mark.slow
def test_alerts_and_board__every_expression__uses_metrics_and_labels_that_a_validator_at_work_exposes(tmp_path):
    scraped = []

    async def scrape(network):
        await asyncio.sleep(20)  # an epoch has ended, another is at work
        scraped.append(metrics_text(metrics.registry(network.nodes[0].daemon)).decode())

    run(SimNetwork(tmp_path).run(2, scrape))
    samples = [s for family in text_string_to_metric_families(scraped[0]) for s in family.samples]
    exposed = {sample.name for sample in samples}
    # Prometheus makes `up` itself, and these two labels.
    labels = {label for sample in samples for label in sample.labels} | {"job", "instance"}
    outcomes = {sample.labels["outcome"] for sample in samples if sample.name == "assay_epochs_total"}
    for expression in expressions_of_alerts_and_board():
        bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
        used = set(re.findall(r"\b(?:assay|process|python)_\w+|\bup\b", bare))
        assert used, expression
        assert used - exposed <= {"up"}, expression
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)(?!=)", re.sub("[^{}]*({[^}]*}|$)", r"\1", bare))) <= labels
        for value in re.findall(r'outcome=~?"([^"]*)"', expression):
            assert set(value.split("|")) <= outcomes, expression
    assert exposed >= NAMES


def expressions_of_alerts_and_board() -> list[str]:
    alerts = yaml.safe_load((ROOT / "ops" / "validator-alerts.yml").read_text())
    board = json.loads((ROOT / "ops" / "validator-board.json").read_text())
    return [rule["expr"] for group in alerts["groups"] for rule in group["rules"]] + [
        target["expr"] for panel in board["panels"] for target in panel["targets"]
    ]


def test_alerts_and_board__every_expression__uses_metrics_that_exist():
    expressions = expressions_of_alerts_and_board()
    assert len(expressions) > 15
    used = {name for expression in expressions for name in re.findall(r"assay_[a-z_]+", expression)}
    assert used <= NAMES


def test_doctor__every_setting__is_checked_under_its_name():
    source = Path(doctor.__file__).read_text()
    checks = {name for group in re.findall(r'"([a-z_]+(?:, [a-z_]+)*)"', source) for name in group.split(", ")}
    assert [name for name in ValidatorSettings.model_fields if name not in checks | {"signer"}] == []


def test_alerts_and_scrape_and_board__as_prometheus_and_grafana_read_them():
    """The shapes that promtool and Grafana would check."""
    alerts = yaml.safe_load((ROOT / "ops" / "validator-alerts.yml").read_text())
    for group in alerts["groups"]:
        assert group["name"]
        for rule in group["rules"]:
            assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rule["alert"])
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
            assert rule["annotations"]
            assert rule["expr"].count("(") == rule["expr"].count(")")
    scrape = yaml.safe_load((ROOT / "ops" / "prometheus.yml").read_text())
    assert all(job["job_name"] for job in scrape["scrape_configs"])
    board = json.loads((ROOT / "ops" / "validator-board.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all({"title", "type", "gridPos", "targets"} <= panel.keys() for panel in board["panels"])


def test_service_unit__every_directive__is_of_its_section_and_hardened():
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / "ops" / "assay-validator.service")
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    service = unit["Service"]
    assert service["RuntimeDirectoryPreserve"] == "yes"  # the witness of what was signed outlives a restart
    assert service["NoNewPrivileges"] in ("yes", "true")
    assert service["ProtectSystem"] == "strict"
    assert service["ExecStart"].split()[1:3] == ["validator", "run"]


def test_compose_file__as_the_compose_specification_has_it():
    compose = yaml.safe_load((ROOT / "ops" / "compose.yml").read_text())
    assert set(compose) <= {"name", "services", "volumes", "networks", "secrets", "configs", "x-common"}
    for service in compose["services"].values():
        assert "image" in service or "build" in service
        for volume in service.get("volumes", []):
            named = volume.split(":")[0] if isinstance(volume, str) else volume["source"]
            assert named.startswith((".", "/", "$")) or named in compose.get("volumes", {})
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"]
        for needed in service.get("depends_on", {}):
            assert needed in compose["services"]


def test_compose_file__dashboards_and_images__are_closed_and_of_one_version():
    """A copy beside it meets the same witness; no default password; what is started does not change."""
    services = yaml.safe_load((ROOT / "ops" / "compose.yml").read_text())["services"]
    assert "/run/assay-witness:/run/assay" in services["validator"]["volumes"]
    assert services["validator"]["environment"]["RUNTIME_DIRECTORY"] == "/run/assay"
    assert all(port.startswith("127.0.0.1:") for port in services["grafana"]["ports"])
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    for name, service in services.items():
        assert re.search(r":(v?\d+\.\d+\.\d+|local)}?$", service["image"]), name
