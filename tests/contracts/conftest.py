"""Fixtures by scope: the network is deployed and seated once, each test runs on a snapshot of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from support.epochs import run_epoch
from support.lettings import Letting
from support.network import CONTRACTS, Network
from support.parameters import SEATS, parameters_for
from support.quick_ape import quicken

from scripts._deployment.execution import deploy

quicken()


@pytest.fixture(scope="session")
def deployed(project, chain, accounts, tmp_path_factory):
    """Contracts, nobody in them yet."""
    parameters = parameters_for(accounts[:45])
    path = tmp_path_factory.mktemp("deployment") / "local.json"
    data = deploy(parameters, project, chain.provider, accounts[0], path)
    contracts = {
        name: getattr(project, name).at(data["contracts"][name]["address"], fetch_from_explorer=False)
        for name in CONTRACTS
    }
    network = Network(project, chain, accounts, parameters, contracts, data["genesis"], file=path)
    for account in accounts[:45]:
        contracts["TestToken"].mint(account, 10**15, sender=account)
    return network


@pytest.fixture(scope="session")
def seated(deployed, accounts):
    """Four seats, before the first epoch."""
    for i in range(SEATS):
        account = accounts[10 + i]
        deployed.seats.append((account, deployed.join(account, f"seat {i}")))
    return deployed


@pytest.fixture(scope="session")
def enrolled(seated, accounts):
    """Seats, and two devices of one provider and one of another."""
    seated.devices = [
        seated.enrol(accounts[20], "device 0"),
        seated.enrol(accounts[20], "device 1"),
        seated.enrol(accounts[21], "device 2"),
    ]
    return seated


@pytest.fixture
def network(enrolled):
    return enrolled


@pytest.fixture
def guardian(accounts):
    return accounts[1]


@pytest.fixture
def stranger(accounts):
    return accounts[40]


@pytest.fixture(scope="module")
def measured(enrolled):
    """Epoch 0, in which every device passed; it stands before each test of a file."""
    return run_epoch(enrolled, 0, enrolled.devices)


@pytest.fixture
def letting(measured, network):
    return Letting(network, measured, network.devices[:1], network.accounts[30])
