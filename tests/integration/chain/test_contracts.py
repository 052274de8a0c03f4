"""Readers and messages against the deployed contracts: both sides must make the same bytes."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from assay.chain.contracts.demands import DemandPrice, next_demand_price, read_demand, read_demand_price
from assay.chain.contracts.devices import DeviceDirectory, DeviceStatus, enrol_nonce, read_devices
from assay.chain.contracts.epochs import is_provable, read_emission, read_epoch_state, read_timing
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import LeaseStatus, active_lease, find_offer, nonce_floor, read_lease
from assay.chain.contracts.operators import (
    BondCredit,
    Operator,
    OperatorScope,
    may_act,
    payout_of,
    read_bond_credit,
    read_operator,
)
from assay.chain.contracts.profiles import read_profiles
from assay.chain.contracts.seats import SeatDirectory, seat_nonce
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError, Reverted
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.rpc.events import read_events
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.protocol.encoding import device_id
from assay.protocol.epochs import Phase
from assay.protocol.messages import Enrol, SeatClaim
from assay.protocol.seeds import epoch_seed
from tests.integration.chain.conftest import FUNDER, ROOT, Anvil

TOKENS = 10**24


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """(anvil, deployment file) with the contracts, deployed by the script that people use."""
    folder = tmp_path_factory.mktemp("deployment")
    anvil = Anvil("--disable-code-size-limit")
    try:
        asyncio.run(anvil.ready())
        (folder / "parameters.yml").write_text(yaml.safe_dump({}))
        environment = {
            **os.environ,
            "APE_FOUNDRY_HOST": anvil.url,
            "ASSAY_DEPLOYMENT_OUT": str(folder / "deployment.json"),
            "ASSAY_PARAMETERS": str(folder / "parameters.yml"),
            "SOLCX_BINARY_PATH": str(ROOT / "scripts" / "solc"),
            "PATH": f"{Path(sys.executable).parent}:{ROOT / 'node_modules' / '.bin'}:{os.environ['PATH']}",
        }
        command = [Path(sys.executable).parent / "ape", "run", "deploy", "--network", "ethereum:local:foundry"]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
        yield anvil, folder / "deployment.json"
    finally:
        anvil.stop()


@pytest.fixture
async def market(deployed):
    anvil, file = deployed
    chain = await Chain.connect(anvil.url, Deployment.load(file))
    yield chain
    await chain.close()


@pytest.fixture
async def participant(deployed, market, tmp_path):
    """A sender with coin and a million network tokens, approved for staking."""
    anvil, _ = deployed
    journals = []

    def sender_of(key):
        journals.append(Journal(tmp_path / key.address, key.address, market.chain_id))
        return Sender(market, key, journals[-1], poll_s=0.05)

    key = Key.generate()
    await anvil.rpc("anvil_setBalance", key.address, hex(10**20))
    await sender_of(Key(FUNDER)).send(ContractCall("NetworkToken", "transfer", (key.address, TOKENS)))
    sender = sender_of(key)
    manager = market.deployment.address("StakeManager")
    await sender.send(ContractCall("NetworkToken", "approve", (manager, TOKENS)))
    await sender.send(ContractCall("StakeManager", "deposit", (key.address, TOKENS)))
    yield sender
    for journal in journals:
        journal.close()


async def enrol(market, sender, profile_id=1, endpoint="http://device"):
    device_key = Key.generate()
    claim = Enrol(sender.address, profile_id, b"\1" * 32, await enrol_nonce(market, device_key.address))
    signature = device_key.sign(claim, market.domain("DeviceRegistry"))
    arguments = (device_key.address, profile_id, b"\1" * 32, endpoint, b"\2" * 32, signature)
    await sender.send(ContractCall("DeviceRegistry", "enrol", arguments))
    return device_key, device_id(sender.address, device_key.address)


async def test_profiles__deployed__valid_and_job_hash_is_ours(market):
    profiles = await read_profiles(market, "latest")
    assert profiles
    for profile in profiles.values():
        profile.validate()
        theirs = await market.call("DeviceRegistry", "jobHash", profile.id, b"\5" * 32, at="latest")
        assert theirs == profile.job_hash(b"\5" * 32)
        assert theirs != replace(profile, T=profile.T + 1).job_hash(b"\5" * 32)


async def test_devices__enrolled_moved_retired__followed(deployed, market, participant):
    anvil, _ = deployed
    directory = DeviceDirectory(market)
    await directory.refresh(await market.head())
    key, identifier = await enrol(market, participant)
    assert identifier == await market.call(
        "DeviceRegistry", "deviceIdOf", participant.address, key.address, at="latest"
    )
    device = (await directory.active(await market.head()))[identifier]
    assert (device.provider, device.device_key, device.profile_id) == (participant.address, key.address, 1)
    assert (device.endpoint, device.tls_fingerprint, device.spec_hash) == ("http://device", b"\2" * 32, b"\1" * 32)
    before = await market.head()
    await participant.send(ContractCall("DeviceRegistry", "setEndpoint", (identifier, "http://new", bytes(32))))
    assert (await directory.refresh(await market.head()))[identifier].endpoint == "http://new"
    await participant.send(ContractCall("DeviceRegistry", "retire", (identifier,)))
    assert identifier not in await directory.active(await market.head())
    assert (await read_devices(market, await market.head()))[identifier].status is DeviceStatus.RETIRED
    assert (await directory.refresh(before))[identifier].endpoint == "http://device"
    await anvil.mine(3)
    assert identifier in await read_devices(market)


async def test_enrol__another_key_signs__refused_by_name(market, participant):
    device_key = Key.generate()
    signature = Key.generate().sign(Enrol(participant.address, 1, bytes(32), 0), market.domain("DeviceRegistry"))
    arguments = (device_key.address, 1, bytes(32), "http://device", bytes(32), signature)
    with pytest.raises(Reverted) as caught:
        await participant.send(ContractCall("DeviceRegistry", "enrol", arguments))
    assert caught.value.name == "DeviceRegistry_BadSignature"
    assert caught.value.arguments["deviceKey"] == device_key.address


async def take_seat(market, sender):
    signer = Key.generate()
    claim = SeatClaim(sender.address, signer.address, await seat_nonce(market, sender.address))
    signature = signer.sign(claim, market.domain("ValidatorSet"))
    arguments = (signer.address, "http://seat", b"\3" * 32, signature)
    await sender.send(ContractCall("ValidatorSet", "join", arguments))
    return signer


async def test_seats__joined__read_with_endpoint(market, participant):
    signer = await take_seat(market, participant)
    seats = await SeatDirectory(market).current(await market.head())
    mine = next(seat for seat in seats if seat.account == participant.address)
    assert (mine.signer, mine.endpoint, mine.tls_fingerprint) == (signer.address, "http://seat", b"\3" * 32)
    joined = await read_events(market, "ValidatorSet", ["SeatJoined"], 0, await market.head())
    assert participant.address in {event.args["account"] for event in joined}
    with pytest.raises(Reverted, match="ValidatorSet_UnknownSet"):
        await SeatDirectory(market).of_set(4_000_000, await market.head())


async def test_epoch__opened__seed_is_ours(deployed, market, participant):
    anvil, _ = deployed
    if not await market.call("ValidatorSet", "currentSeats", at="latest"):
        await take_seat(market, participant)
    timing = await read_timing(market)
    now = (await market.head()).timestamp
    epoch = (timing.epoch_at(now) or 0) + 1
    await anvil.rpc("evm_setNextBlockTimestamp", hex(timing.start(epoch) + 1))
    await anvil.mine()
    assert await market.call("EpochOracle", "currentEpoch", at="latest") == epoch
    assert timing.epoch_at((await market.head()).timestamp) == epoch
    assert (await read_epoch_state(market, epoch, "latest")).phase is Phase.NONE
    await participant.send(ContractCall("EpochOracle", "openEpoch", (epoch,)))
    state = await read_epoch_state(market, epoch, "latest")
    assert state.phase is Phase.OPEN and state.seats >= 1
    oracle = market.deployment.address("EpochOracle")
    assert state.epoch_seed == epoch_seed(market.chain_id, oracle, epoch, state.beacon)
    assert await is_provable(market, epoch, "latest")
    seats = await SeatDirectory(market).of_set(state.set_id, await market.head())
    assert len(seats) == state.seats
    emission = await read_emission(market, epoch, "latest")
    assert emission.provider_pool > 0 and emission.validator_pool > 0


async def test_domains__of_contracts__separators_are_ours(market):
    for name in ("EpochOracle", "DeviceRegistry", "ValidatorSet"):
        fields = await market.call(name, "eip712Domain", at="latest")
        domain = market.domain(name)
        assert (fields.name, fields.version) == (domain.name, domain.version)
        assert (fields.chainId, fields.verifyingContract) == (domain.chain_id, domain.verifying_contract)


async def test_leases__unknown__all_zero(market, participant):
    assert (await read_lease(market, 4_000_000, "latest")).status is LeaseStatus.NONE
    assert await find_offer(market, 4_000_000, "latest") == (await read_lease(market, 4_000_000, "latest"), None)
    assert await active_lease(market, b"\7" * 32, "latest") == 0
    assert await nonce_floor(market, b"\7" * 32, participant.address, "latest") == 0


async def test_demands__none_made__none_and_the_price_of_the_first(market, participant):
    assert await read_demand(market, b"\7" * 32, "latest") is None
    assert await read_demand_price(market, b"\7" * 32, "latest") == DemandPrice(0, 0, 0)
    with pytest.raises(Reverted, match="UnknownDevice"):
        await next_demand_price(market, b"\7" * 32, False)
    _, device = await enrol(market, participant)
    terms = await market.call("OpeningDemands", "terms", at="latest")
    # The base fee of an idle chain is below the reference: two units, one of them the answerer's, a tenth burned.
    bond = 2 * terms.unitBond
    assert await next_demand_price(market, device, False) == DemandPrice(bond, terms.unitBond, bond // 10)
    assert (await next_demand_price(market, device, True)).bond > bond


async def test_operators__appointed_limited_revoked__read_back(deployed, market, participant):
    provider, operator, payout = participant.address, Key.generate().address, Key.generate().address
    assert await read_operator(market, provider, operator, "latest") == Operator(OperatorScope(0), 0)
    assert await payout_of(market, provider, "latest") == provider
    until = (await market.head()).timestamp + 1_000
    scopes = OperatorScope.OFFER | OperatorScope.START
    await participant.send(ContractCall("DeviceRegistry", "setOperator", (operator, int(scopes), until)))
    await participant.send(ContractCall("DeviceRegistry", "setPayout", (payout,)))
    assert await read_operator(market, provider, operator, "latest") == Operator(scopes, until)
    assert await payout_of(market, provider, "latest") == payout
    assert await may_act(market, provider, operator, scopes, "latest")
    assert not await may_act(market, provider, operator, scopes | OperatorScope.CLAIM, "latest")
    anvil, _ = deployed
    await anvil.rpc("evm_setNextBlockTimestamp", hex(until + 1))
    await anvil.mine()
    assert not await may_act(market, provider, operator, scopes, "latest")
    await participant.send(ContractCall("DeviceRegistry", "setOperator", (operator, 0, 0)))
    assert (await read_operator(market, provider, operator, "latest")).scopes == OperatorScope(0)


async def test_bond_credit__filled_and_limited__read_back(market, participant):
    """In test dollars, which anybody may mint."""
    token, escrow = (market.deployment.address(name) for name in ("TestToken", "LeaseEscrow"))
    assert await read_bond_credit(market, participant.address, token, "latest") == BondCredit(0, 0, 0)
    await participant.send(ContractCall("TestToken", "mint", (participant.address, 500)))
    await participant.send(ContractCall("TestToken", "approve", (escrow, 500)))
    await participant.send(ContractCall("LeaseEscrow", "fillBondCredit", (token, 500)))
    await participant.send(ContractCall("LeaseEscrow", "setBondLimit", (token, 300)))
    credit = await read_bond_credit(market, participant.address, token, "latest")
    assert (credit, credit.available) == (BondCredit(500, 300, 300), 300)
    await participant.send(ContractCall("LeaseEscrow", "drainBondCredit", (token, 400, participant.address)))
    assert (await read_bond_credit(market, participant.address, token, "latest")).available == 100
    assert await Erc20(market, token).balance(participant.address) == 400


async def test_erc20__approve__raised_once_and_read_back(market, participant):
    token = Erc20(market, market.deployment.address("TestToken"))
    assert (await token.decimals(), await token.symbol()) == (6, "tUSD")
    spender = market.deployment.address("LeaseEscrow")
    assert await token.approve(participant, spender, 500) > 21_000
    assert await token.allowance(participant.address, spender) == 500
    assert await token.approve(participant, spender, 400) == 0
    await token.approve(participant, spender, 600)
    assert await token.allowance(participant.address, spender) == 600


async def test_erc20__no_token_there__named(market):
    with pytest.raises(ChainError, match="is not an ERC-20 contract"):
        await Erc20(market, "0x" + "11" * 20).decimals()
