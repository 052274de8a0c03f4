"""What other tools read to reach leases: OpenSSH, SkyPilot's SSH node pools, dstack's SSH fleets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import yaml

from assay.renter.session.ssh_access import SshAccess


class ExportForm(StrEnum):
    """For which tool."""

    ssh_config = "ssh-config"
    sky = "sky"
    dstack = "dstack"


def ssh_config(accesses: Sequence[SshAccess]) -> str:
    """Sections for ~/.ssh/config: `ssh assay-7`."""
    return "\n".join(access.configuration() for access in accesses)


def sky_pool(accesses: Sequence[SshAccess], name: str) -> str:
    """A pool for ~/.sky/ssh_node_pools.yaml. Its hosts are names of `ssh_config`'s sections, for a pool's entries have
    no port of their own. User and key of those sections count; SkyPilot's server refuses a pool that names none."""
    user, key_file = accesses[0].user, str(accesses[0].key_file.absolute())
    hosts = [access.host_alias for access in accesses]
    return _yaml({name: {"user": user, "identity_file": key_file, "hosts": hosts}})


def dstack_fleet(accesses: Sequence[SshAccess], name: str) -> str:
    """A fleet configuration for `dstack apply`."""
    hosts = [
        {
            "hostname": access.host,
            "port": access.port,
            "user": access.user,
            "identity_file": str(access.key_file.absolute()),
        }
        for access in accesses
    ]
    return _yaml({"type": "fleet", "name": name, "ssh_config": {"hosts": hosts}})


def exported(form: ExportForm, accesses: Sequence[SshAccess], name: str) -> str:
    """The text for a tool."""
    if form is ExportForm.sky:
        return sky_pool(accesses, name)
    return dstack_fleet(accesses, name) if form is ExportForm.dstack else ssh_config(accesses)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False)
