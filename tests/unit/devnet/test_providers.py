"""What the providers of a local network are set up with: one by its own key, one through its host's."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assay.devnet.network import Network, NetworkPlan
from assay.devnet.providers import SCOPES, host_of, set_up, start_provider


class Someone:
    def __init__(self, name: str) -> None:
        self.address, self.key_file = f"address of {name}", Path(f"{name}.json")


class Commands(Network):
    """Notes commands and daemons instead of running them; enrolments get ids in turn."""

    dollars = "dollars"  # type: ignore[assignment]

    def __init__(self, folder: Path) -> None:
        class Folder:
            data, deployment, password_file = folder, folder / "d.json", folder / "password"

            def log(self, name: str) -> str:
                return name

        class Started:
            start = staticmethod(lambda name, command, log: self.daemons.append((name, command)))

        plan = NetworkPlan(folder)
        names = [*plan.providers, "south-host", "south-vault"]
        people = {name: Someone(name) for name in names}
        super().__init__(plan, Folder(), Started(), "http://c", people)  # type: ignore[arg-type]
        self.endpoints = {name: f"http://127.0.0.1:{n}" for n, name in enumerate(plan.providers, 9_000)}
        self.ssh_ports = dict.fromkeys(plan.providers, 22)
        self.ran: list[tuple[str, ...]] = []
        self.daemons: list[tuple[str, list[str]]] = []

    async def assay(self, name: str, *arguments: str, **options: Any) -> str:
        self.ran.append((name, *arguments))
        return json.dumps({"deviceId": f"device {len(self.ran)}"})


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


async def test_set_up__provider_with_its_own_key__enrols_and_nothing_more(commands: Commands) -> None:
    await set_up(commands, "north")
    assert [ran[:3] for ran in commands.ran] == [("north", "provider", "enrol")]


async def test_set_up__provider_with_a_host__appoints_it_for_all_but_the_endpoint(commands: Commands) -> None:
    await set_up(commands, "south")
    done = {ran[2:4]: ran[4:] for ran in commands.ran}
    assert {ran[0] for ran in commands.ran} == {"south"}
    assert done["operator", "add"] == ("address of south-host", "--scopes", SCOPES, "--yes")
    assert "endpoint" not in SCOPES
    assert ("payout", "address of south-vault") in done
    assert done["credit", "limit"][0] == "1"
    assert done["node", "set"][:4] == ("pair", "4.40", "device 1", "device 2")
    enrolments = [ran for ran in commands.ran if ran[2] == "enrol"]
    assert len(enrolments) == 2 and "--device-key" in enrolments[1]


def test_start_provider__with_a_host__runs_by_the_operator_s_key_in_the_provider_s_folder(commands: Commands) -> None:
    start_provider(commands, "south", "cpu")
    ((name, command),) = commands.daemons
    given = dict(pairwise(command))
    assert name == "south"
    assert given["--provider"] == "address of south"
    assert given["--key-file"] == f"{host_of('south').operator}.json"
    assert given["--data-dir"].endswith("/south")
    assert "--price-per-hour" not in command  # its devices are on offer together only


def test_start_provider__with_its_own_key__asks_a_price_for_each_device(commands: Commands) -> None:
    start_provider(commands, "north", "cpu")
    ((_, command),) = commands.daemons
    given = dict(pairwise(command))
    assert "--provider" not in command
    assert (given["--key-file"], given["--price-per-hour"]) == ("north.json", "3.20")
