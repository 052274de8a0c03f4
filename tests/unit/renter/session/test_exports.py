"""What other tools read: its shape is theirs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from assay.network.origins import Endpoint
from assay.renter.errors import BadInput
from assay.renter.session import ssh_access
from assay.renter.session.exports import ExportForm, exported
from assay.renter.session.ssh_access import SshAccess, open_access, own_key

SEVEN = SshAccess(7, "203.0.113.9", 2200, "lease-7", Path("/home/r/.assay/ssh/id_ed25519"), Path("/home/r/kh-7"))
EIGHT = SshAccess(8, "gpu.example", 2201, "lease-8", SEVEN.key_file, Path("/home/r/kh-8"))


def test_ssh_config__of_two_leases__is_a_section_each() -> None:
    text = exported(ExportForm.ssh_config, [SEVEN, EIGHT], "assay")
    assert [line for line in text.splitlines() if line.startswith("Host ")] == ["Host assay-7", "Host assay-8"]
    assert "    Port 2200\n" in text and "    UserKnownHostsFile /home/r/kh-8\n" in text


def test_sky__pool__names_hosts_of_the_ssh_configuration() -> None:
    """~/.sky/ssh_node_pools.yaml: pool -> hosts, each an address or a name that `ssh NAME` reaches; SkyPilot's server
    wants a user and a key with each pool, though those of the names' sections are used."""
    pool = yaml.safe_load(exported(ExportForm.sky, [SEVEN, EIGHT], "gpus"))
    assert pool == {"gpus": {"user": "lease-7", "identity_file": str(SEVEN.key_file), "hosts": ["assay-7", "assay-8"]}}


def test_dstack__fleet__has_a_host_with_port_user_and_key_for_each_lease() -> None:
    """https://dstack.ai/docs/reference/dstack.yml/fleet: `type: fleet` with `ssh_config.hosts`."""
    fleet = yaml.safe_load(exported(ExportForm.dstack, [SEVEN], "gpus"))
    assert fleet == {
        "type": "fleet",
        "name": "gpus",
        "ssh_config": {
            "hosts": [
                {"hostname": "203.0.113.9", "port": 2200, "user": "lease-7", "identity_file": str(SEVEN.key_file)}
            ]
        },
    }


def test_command__with_forwards__gives_them_to_ssh_and_pins_the_host_key() -> None:
    line = SEVEN.command("ls", flags=["-L", "8888:localhost:8888"])
    assert line[line.index("-L") + 1] == "8888:localhost:8888"
    assert "StrictHostKeyChecking=yes" in line and line[-2:] == ["lease-7@203.0.113.9", "ls"]


ODD = Path("/home/a b/100%h/lease:7/#~$x")


def test_command__with_an_odd_folder__quotes_it_and_leaves_nothing_to_fill_in() -> None:
    line = replace(SEVEN, key_file=ODD / "id", known_hosts=ODD / "kh").command()
    assert 'IdentityFile="/home/a b/100%%h/lease:7/#~$x/id"' in line
    assert 'UserKnownHostsFile="/home/a b/100%%h/lease:7/#~$x/kh"' in line
    assert "-i" not in line


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client")
def test_ssh_config__with_an_odd_folder__is_read_by_openssh_as_one_path(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        exported(ExportForm.ssh_config, [replace(SEVEN, key_file=ODD / "id", known_hosts=ODD / "kh")], "")
    )
    asked = ["ssh", "-G", "-F", str(config), "assay-7"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert f"identityfile {ODD}/id".replace("%", "%%") in told
    assert f"userknownhostsfile {ODD}/kh" in [line.replace("%%", "%") for line in told]
    assert "port 2200" in told and "user lease-7" in told


@pytest.mark.parametrize("name", ["a\nHost *", "${HOME}", "a\x1b[2J"])
@pytest.mark.parametrize("field", ["key_file", "known_hosts"])
def test_ssh__folder_that_its_configuration_cannot_name__is_refused_by_name(name: str, field: str) -> None:
    access = replace(SEVEN, **{field: Path("/home") / name})
    for write in (access.configuration, access.command):
        with pytest.raises(BadInput, match="--data-dir"):
            write()


async def test_access__from_a_relative_folder__is_written_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is exported is read in other folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ssh_access, "own_key", _key_at)
    session: Any = SimpleNamespace(endpoint=Endpoint("https://gpu.example:8443", bytes(32)), add_ssh_key=_taken)
    access = await open_access(session, 7, Path("-my keys"))
    assert access.key_file == tmp_path / "-my keys/ssh/id_ed25519"
    assert access.known_hosts == tmp_path / "-my keys/ssh/known_hosts-7"
    assert access.known_hosts.read_text() == "[gpu.example]:2200 ssh-ed25519 AAAA\ngpu.example ssh-ed25519 AAAA\n"


def _key_at(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.with_suffix(".pub").write_text("ssh-ed25519 AAAA assay\n")
    return path


async def _taken(key: str) -> dict[str, Any]:
    return {"port": 2200, "user": "lease-7", "hostKey": "ssh-ed25519 AAAA"}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
def test_own_key__of_which_a_full_disk_left_half__is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "100% of keys" / "id_ed25519"
    path.parent.mkdir()
    path.touch()
    own_key(path)
    made = path.read_bytes()
    assert path.with_suffix(".pub").read_text().startswith("ssh-ed25519 ")
    assert path.stat().st_mode & 0o077 == 0
    assert own_key(path).read_bytes() == made
    assert sorted(one.name for one in path.parent.iterdir()) == ["id_ed25519", "id_ed25519.pub"]
