"""Every setting and every metric of the daemon stands in the operator's page; alerts and board use real metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from assay.validator import metrics
from assay.validator.settings import ValidatorSettings
from assay.validator.settings_file import settings_text

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text()
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
    settings = ValidatorSettings.load(path, {"port": 9_002})
    assert (settings.rpc, settings.port, settings.final_depth) == (["http://a:1", "http://b:2"], 9_002, 3)
    assert str(settings.key_file) == 'odd "name".json'


def test_metrics__all__are_documented():
    assert len(NAMES) >= 15
    assert [name for name in NAMES if name not in PAGE] == []


def test_alerts_and_board__every_expression__uses_metrics_that_exist():
    alerts = yaml.safe_load((ROOT / "ops" / "validator-alerts.yml").read_text())
    board = json.loads((ROOT / "ops" / "validator-board.json").read_text())
    expressions = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(expressions) > 15
    used = {name for expression in expressions for name in re.findall(r"assay_[a-z_]+", expression)}
    assert used <= NAMES
