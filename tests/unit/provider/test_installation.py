"""A provider as a service: what is written, once and again, and what the unit may not have."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.provider.errors import BadProviderSetting
from assay.provider.installation.host import HostFiles
from assay.provider.installation.plan import installation
from assay.provider.installation.unit import unit_text
from assay.provider.settings import ProviderSettings

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path("/opt/assay/.venv/bin/assay")
CHOSEN = {
    "rpc": ["https://rpc.example.org/KEY"], "key_file": Path("/srv/p.json"), "password_file": Path("/srv/pw"),
    "data_dir": Path("/srv/data"), "price_per_hour": "2.50", "egress": "pypi.org,*.example.org",
}  # fmt: skip


class Host:
    """An empty host below a folder, and the programs that were run on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.ran = root, []
        self.files = HostFiles(root, self.run)
        (root / "etc").mkdir()

    ran: list[list[str]]

    def run(self, command: Sequence[str]) -> None:
        self.ran.append(list(command))

    def install(self, **changes: Any) -> dict[str, str]:
        chosen = {**CHOSEN, **changes}
        wanted = installation(ProviderSettings.of(chosen), chosen, PROGRAM)
        return {one.what: one.became for one in self.files.install(wanted)}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def unit_of(text: str) -> configparser.SectionProxy:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    return unit["Service"]


def test_install__twice__makes_all_of_it_and_then_nothing(host: Host) -> None:
    made = host.install()
    assert set(made.values()) == {"made"}
    environment = host.root / "etc/assay/provider.env"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600  # RPC addresses carry keys
    again = host.install()
    assert again.keys() == made.keys() and set(again.values()) == {"unchanged"}


def test_install__a_setting_changed__changes_that_file_and_keeps_the_old_one(host: Host) -> None:
    host.install()
    changed = {what for what, became in host.install(price_per_hour="3").items() if became == "changed"}
    assert changed == {"/etc/assay/provider.env"}
    assert "ASSAY_PRICE_PER_HOUR=2.50" in (host.root / "etc/assay/provider.env.before").read_text()


def test_environment__as_the_service_reads_it__gives_the_same_settings(host: Host) -> None:
    host.install()
    text = (host.root / "etc/assay/provider.env").read_text()
    read = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        read[name] = value[1:-1] if value.startswith("'") else value
    assert ProviderSettings.load({}, environment=read) == ProviderSettings.of(
        {**CHOSEN, "deployment": Path("build/deployments/local.json").absolute()}
    )


def test_install__bubblewrap__is_a_user_without_rights(host: Host) -> None:
    made = host.install(runtime="bubblewrap", egress="none")
    assert made["user assay"] == "made"
    assert [one[0] for one in host.ran] == ["useradd", "chown", "chown"]
    service = unit_of((host.root / "etc/systemd/system/assay-provider.service").read_text())
    assert (service["User"], service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("assay", "strict", "")
    assert service["ReadWritePaths"] == "/srv/data"


def test_install__image_of_a_host__its_users_are_meant_and_not_this_machines(host: Host) -> None:
    host.install(runtime="bubblewrap", egress="none")
    assert host.ran[0][:3] == ["useradd", "--root", str(host.root)]
    (host.root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nassay:x:991:990::/srv/data:/usr/sbin/nologin\n"
    )
    host.ran.clear()
    assert host.install(runtime="bubblewrap", egress="none")["user assay"] == "unchanged"
    assert {one[3] for one in host.ran} == {"991:990"}


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("useradd"), reason="needs root and useradd")
def test_install__with_this_machines_own_programs__makes_the_user_in_the_image_alone(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "login.defs"):
        shutil.copy(f"/etc/{name}", tmp_path / "etc")
    before = Path("/etc/passwd").read_text()
    chosen = {**CHOSEN, "runtime": "bubblewrap", "egress": "none"}
    HostFiles(tmp_path).install(installation(ProviderSettings.of(chosen), chosen, PROGRAM))
    (made,) = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("assay:")]
    owner = (tmp_path / "srv/data/devices").stat()
    assert made.split(":")[2:4] == [str(owner.st_uid), str(owner.st_gid)]
    assert owner.st_uid != 0 and Path("/etc/passwd").read_text() == before


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(("runtime", "egress"), [("container", "internet"), ("bubblewrap", "none")])
def test_unit__as_systemd_reads_it__has_no_fault(host: Host, runtime: str, egress: str) -> None:
    host.install(runtime=runtime, egress=egress)
    program = host.root / PROGRAM.relative_to("/")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = host.root / "etc/systemd/system/assay-provider.service"
    read = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={host.root}", unit.name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (read.returncode, read.stdout + read.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode=process", "KillMode=perhaps"))
    spoiled = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={host.root}", unit.name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "kill mode specification" in spoiled.stderr, "nothing was read"


@pytest.mark.parametrize("missing", ["key_file", "password_file"])
def test_install__what_a_service_cannot_do_without__is_asked_for(host: Host, missing: str) -> None:
    with pytest.raises(BadProviderSetting, match=f"--{missing.replace('_', '-')}"):
        host.install(**{missing: None})
    assert list((host.root / "etc").iterdir()) == []


def test_uninstall__once_and_again__leaves_keys_and_data(host: Host) -> None:
    host.install()
    (host.root / "srv/data/provider.sqlite").write_text("answers that are owed")
    assert {one.became for one in host.files.uninstall()} == {"removed"}
    assert {one.became for one in host.files.uninstall()} == {"was not there"}
    assert (host.root / "srv/data/provider.sqlite").exists()


@pytest.mark.parametrize("as_root", [True, False])
def test_unit__jobs_and_leases_disks__outlive_the_service_and_reach_the_engine(as_root: bool) -> None:
    service = unit_of(unit_text(as_root=as_root))
    assert service["KillMode"] == "process"  # supervisors of jobs end with their leases, not with the daemon
    assert service["ExecStart"].split()[1:] == ["provider", "run"]
    if as_root:
        mounts = ("Protect", "Private", "ReadWrite", "ReadOnly", "Inaccessible", "Bind", "Temporary", "Mount")
        assert [name for name in service if name.startswith(mounts)] == []


def test_unit__of_the_repository__is_what_an_installation_writes() -> None:
    assert (ROOT / "ops" / "assay-provider.service").read_text() == unit_text(as_root=True)
