"""What settings become before anything uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.provider.settings import ProviderSettings


@pytest.mark.parametrize("given", [{}, {"data_dir": "data"}, {"data_dir": Path("data")}])
def test_data_dir__relative_or_none_given__whole_path_from_here(given, monkeypatch, tmp_path):
    monkeypatch.delenv("ASSAY_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    found = ProviderSettings.load(given)
    assert found.data_dir == (tmp_path / "data" if given else Path.home() / ".assay" / "provider")
    assert found.devices_dir == found.data_dir / "devices"
