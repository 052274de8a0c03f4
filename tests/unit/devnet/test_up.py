"""What a network that is left running tells whoever wants to use it."""

from __future__ import annotations

import re
from pathlib import Path

from assay.devnet.accounts import Participant
from assay.devnet.network import Network, NetworkPlan
from assay.devnet.processes import Processes
from assay.devnet.up import _how_to_rent
from assay.devnet.workspace import Workspace
from assay.renter.contexts import FIELDS


def test_how_to_rent__guest__names_every_setting_of_a_context_and_its_own_files(tmp_path: Path) -> None:
    plan = NetworkPlan(tmp_path, guests=("guest",))
    with Workspace(tmp_path) as workspace:
        guest = Participant("guest", "0x" + "11" * 20, workspace.keys / "guest.json")
        network = Network(plan, workspace, Processes({}), "http://c", {"guest": guest}, {"market": "http://m"})
        told = _how_to_rent(network, "guest")
    given = dict(re.findall(r"--([a-z-]+) (\S+)", told))
    assert {name.replace("-", "_") for name in given} == set(FIELDS)
    assert (given["rpc"], given["market"], given["key-file"]) == ("http://c", "http://m", str(guest.key_file))
    assert "assay context use devnet" in told
