"""What other tools read: its shape is theirs."""

from __future__ import annotations

from pathlib import Path

import yaml

from assay.renter.session.exports import ExportForm, exported
from assay.renter.session.ssh_access import SshAccess

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
    line = SEVEN.command("ls", forwards=["8888:localhost:8888"])
    assert line[line.index("-L") + 1] == "8888:localhost:8888"
    assert "StrictHostKeyChecking=yes" in line and line[-2:] == ["lease-7@203.0.113.9", "ls"]
