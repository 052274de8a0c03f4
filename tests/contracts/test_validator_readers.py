"""What validators read of real leases, slashes, profiles, vetoes and check-ins."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from support.epochs import Epoch, run_epoch
from support.faults import prove
from support.lettings import Letting

from assay.chain.deployment import Deployment
from assay.chain.rpc.client import Chain
from assay.protocol.keccak import keccak
from assay.validator.chain.chain_reader import ContractReader
from assay.validator.rules.values import LeasePeriod

DEPTH = 2


@asynccontextmanager
async def reading(network, final_depth=0):
    chain = await Chain.connect(network.chain.provider.http_uri, Deployment.load(network.file), final_depth=final_depth)
    try:
        yield await ContractReader.open(chain)
    finally:
        await chain.close()


@pytest.fixture
def node(measured, network):
    """Two devices of one provider on offer together, for a minute at least, after which the renter may leave."""
    return Letting(network, measured, network.devices[:2], network.accounts[30]).change(min_duration=60)


async def periods(reader, since=0):
    return await reader.lease_periods(since, await reader.final(), await reader.head())


async def test_lease_periods__of_a_node__are_of_both_devices_and_follow_its_stop(node):
    first, second = (device.id for device in node.devices)
    node.open()
    async with reading(node.network, DEPTH) as reader:
        assert await periods(reader) == {}
        node.start()
        period = LeasePeriod(node.lease_id, node.lease.start, node.lease.stop)
        assert await periods(reader) == {first: (period,), second: (period,)}
        node.network.TestToken.approve(node.escrow, 10**6, sender=node.renter)
        node.escrow.topUp(node.lease_id, 1_000, sender=node.renter)
        assert (await periods(reader))[first][0].stop == period.stop + 100 == node.lease.stop
        node.network.chain.mine(DEPTH + 1)
        assert (await periods(reader))[first][0].stop == node.lease.stop
        node.network.pass_time(600)
        node.escrow.end(node.lease_id, sender=node.renter)
        ended = LeasePeriod(node.lease_id, period.start, node.lease.stop)
        assert await periods(reader) == {first: (ended,), second: (ended,)}
        assert await periods(reader, since=ended.stop + 1) == {}


async def test_lease_periods__renter_left_early_and_was_released__end_with_the_release(node):
    node.change(min_duration=3_600).open()
    node.start()
    node.network.pass_time(60)
    node.escrow.end(node.lease_id, sender=node.renter)
    async with reading(node.network) as reader:
        (period,) = (await periods(reader))[node.devices[0].id]
        assert period.stop == period.start + 3_600  # it pays on, so it is measured on
        node.network.pass_time(60)
        node.escrow.release(node.lease_id, sender=node.provider)
        (released,) = (await periods(reader))[node.devices[0].id]
        assert released.stop == node.lease.stop < period.stop


async def test_lease_periods__of_a_cancelled_lease__are_none(node):
    node.open()
    node.escrow.cancel(node.lease_id, sender=node.renter)
    async with reading(node.network) as reader:
        assert await periods(reader) == {}


async def test_devices__one_slashed_while_it_is_leased__is_read_on_until_the_lease_ends(node):
    network, slashed, idle = node.network, node.devices[0], node.network.devices[2]
    node.open()
    node.start()
    epoch = Epoch(network, 1).open()
    for device in (slashed, idle):
        pair = [epoch.commit(device).struct, epoch.commit(device, result_root=keccak(b"another")).struct]
        prove(network, "proveTwoCommitments", pair, network.accounts[41])
    async with reading(network) as reader:
        head = await reader.head()
        assert await reader.slashed(head) == {slashed.id, idle.id}
        found = {device.device_id: device.leased for device in await reader.devices(head)}
        assert found == {device.id: True for device in node.devices}
        node.escrow.end(node.lease_id, sender=node.renter)
        found = {device.device_id: device.leased for device in await reader.devices(await reader.head())}
        assert found == {node.devices[1].id: False}


async def test_slashed__of_an_earlier_block__were_not_yet(measured, network):
    epoch = Epoch(network, 1).open()
    device = network.devices[0]
    async with reading(network) as reader:
        before = await reader.head()
        network.DeviceRegistry.retire(network.devices[2].id, sender=network.devices[2].provider)
        pair = [epoch.commit(device).struct, epoch.commit(device, result_root=keccak(b"another")).struct]
        prove(network, "proveTwoCommitments", pair, network.accounts[41])
        assert await reader.slashed(await reader.head()) == {device.id}  # a retired one was not slashed
        assert await reader.slashed(before) == frozenset()


async def test_profiles__one_closed__has_no_credit_from_then_on(measured, network):
    async with reading(network) as reader:
        before = await reader.head()
        network.governed("DeviceRegistry", "closeProfile", 2)
        assert (await reader.profiles(before))[2].credit > 0
        assert (await reader.profiles(await reader.head()))[2].credit == 0


async def test_reports__one_vetoed__counts_no_more_from_then_on(measured, network, guardian):
    run_epoch(network, 1, network.devices, rewards=[(network.seats[0][0].address, 0)])
    async with reading(network) as reader:
        standing = await reader.head()
        assert [report.epoch for report in await reader.reports(2, standing)] == [1, 0]
        network.RewardsDistributor.veto(1, sender=guardian)
        assert [report.epoch for report in await reader.reports(2, await reader.head())] == [0]
        assert [report.epoch for report in await reader.reports(2, standing)] == [1, 0]
        assert (await reader.reported_block(1, standing)).number <= standing.number


async def test_check_in__of_an_epoch_that_nobody_sealed__is_read_for_that_epoch_alone(measured, network):
    account = network.seats[1][0]
    Epoch(network, 1).open()
    network.go_to(network.start_of(1) + network.parameters.epochs.sealBy + 1)
    async with reading(network) as reader:
        assert not await reader.has_checked_in(account.address, 1, await reader.head())
        network.ValidatorSet.checkIn(1, sender=account)
        head = await reader.head()
        assert [await reader.has_checked_in(account.address, epoch, head) for epoch in (0, 1, 2)] == [
            False,
            True,
            False,
        ]
        assert not await reader.has_checked_in(network.seats[0][0].address, 1, head)
