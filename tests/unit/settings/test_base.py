"""Settings that every program has: one name, one default, one order of places; no two programs at one port."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.market.settings import MarketSettings
from assay.provider.settings import ProviderSettings
from assay.relay.settings import RelaySettings
from assay.renter.settings import RenterSettings
from assay.settings.base import ProgramSettings
from assay.validator.settings import ValidatorSettings
from assay.watcher.settings import WatcherSettings
from scripts._deployment.files import default_artifact

PROGRAMS: list[type[ProgramSettings]] = [
    ProviderSettings,
    ValidatorSettings,
    RenterSettings,
    WatcherSettings,
    MarketSettings,
    RelaySettings,
]
COMMON = [name for name in ProgramSettings.model_fields if name != "data_dir"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_common_settings__in_every_program__are_the_same(program: type[ProgramSettings]) -> None:
    for name in COMMON:
        mine, common = program.model_fields[name], ProgramSettings.model_fields[name]
        assert (mine.annotation, mine.default, mine.metadata) == (common.annotation, common.default, common.metadata)


@pytest.mark.parametrize("program", PROGRAMS)
def test_places__each__goes_before_the_next(program: type[ProgramSettings], tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('rpc = ["http://file"]\nlog_level = "error"\nfinal_depth = 7\n')
    environment = {"ASSAY_RPC": "http://a, http://b", "ASSAY_LOG_LEVEL": "warning", "ASSAY_KEY_FILE": ""}
    environment |= {"ASSAY_CONFIG": str(file), "ASSAY_CONTEXTS": "/none"}
    found = program.load({"log_level": "debug", "poll_seconds": None}, environment=environment)
    assert (found.log_level, found.rpc, found.final_depth) == ("debug", ["http://a", "http://b"], 7)
    assert (found.poll_seconds, found.key_file) == (0.25, None)
    assert program.load({}, file, {"ASSAY_CONTEXTS": "/none"}).rpc == ["http://file"]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rpc": ","}, "rpc"),
        ({"final_depth": -1}, "final_depth = -1"),
        ({"poll_seconds": 0}, "poll_seconds = 0"),
        ({"log_level": "loud"}, "log_level = 'loud'"),
        ({"nonsense": 1}, "nonsense = 1"),
        ({"key_file": "~nosuchuser/key.json"}, "home folder in it is unknown"),
    ],
)
def test_settings__off_their_rule__are_named_with_value_and_rule(
    program: type[ProgramSettings], given: dict[str, object], said: str
) -> None:
    with pytest.raises(program.fault, match=said):
        program.load(given, environment={"ASSAY_CONTEXTS": "/none"})


@pytest.mark.parametrize("text", [None, "rpc = [", "\xff"])
def test_settings_file__that_cannot_be_read__is_named(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ProviderSettings.fault, match=r"odd\.toml"):
        ProviderSettings.load({}, file, {})


def test_deployment__by_default__is_looked_for_where_deploying_writes_it() -> None:
    assert ProgramSettings.model_fields["deployment"].default == default_artifact("local")


def test_ports_and_folders__by_default__are_of_one_program_each() -> None:
    fields = {program: program.model_fields for program in PROGRAMS}
    ports = [
        f[n].default
        for f in fields.values()
        for n in ("port", "market_port", "relay_port", "relay_metrics_port")
        if n in f
    ]
    folders = [f["data_dir"].default for f in fields.values()]
    assert len(ports) == len(set(ports)) == 5
    assert len(folders) == len(set(folders)) == 6
