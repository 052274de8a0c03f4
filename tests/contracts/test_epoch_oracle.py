"""The four transactions of an epoch, and what does not pass for one."""

import ape
import pytest
from support.epochs import Epoch, run_epoch

from assay.protocol.keccak import keccak
from assay.protocol.signing import CURVE_ORDER, HALF_ORDER, Domain

PHASES = {"None": 0, "Open": 1, "Sealed": 2, "Drawn": 3, "Reported": 4, "Void": 5}


@pytest.fixture
def opened(network):
    return Epoch(network, 0).open()


@pytest.fixture
def sealed(network, opened):
    return opened.seal([opened.commit(d) for d in network.devices])


@pytest.fixture
def drawn(sealed):
    return sealed.draw()


def seal_call(epoch, quorum=None, root=b"\1" * 32, count=3, round_=0, digest=None, sender=None):
    message = epoch.seal_message(root, count, round_)
    digest = digest or message.digest(epoch.network.domain("EpochOracle"))
    quorum = quorum(digest) if quorum else epoch.network.quorum(digest)
    return epoch.oracle.seal(epoch.number, round_, root, count, quorum, sender=sender or epoch.network.accounts[40])


def test_epoch__all_four_steps_by_anyone__reported(network):
    epoch = run_epoch(network, 0, network.devices, rewards=[(network.accounts[20].address, 10**18)])
    state = network.EpochOracle.epochState(0)
    assert state.phase == PHASES["Reported"]
    assert state.sealCount == 3
    assert bytes(state.devicesRoot) == epoch.devices.root
    assert network.EpochOracle.verifyDevice(*epoch.proof(network.devices[0]))
    assert network.EpochOracle.lastReport().rewardsTotal == 10**18


def test_beacon_and_rho__as_the_protocol_says__equal(network, drawn):
    block = network.chain.blocks[network.EpochOracle.epochState(0).sealBlock + 4]
    rho = keccak(bytes(block.hash) + drawn.seal_tree.root)
    assert drawn.rho == rho
    from assay.protocol.seeds import epoch_seed

    state = network.EpochOracle.epochState(0)
    assert bytes(state.epochSeed) == epoch_seed(31337, network.EpochOracle.address, 0, bytes(state.beacon))


def test_open_epoch__off_its_time__refused(network):
    oracle = network.EpochOracle
    with ape.reverts(oracle.EpochOracle_TooEarly, epoch=0, opensAt=network.genesis):
        oracle.openEpoch(0, sender=network.accounts[40])
    network.go_to(network.start_of(0) + 181)
    with ape.reverts(oracle.EpochOracle_TooLate, epoch=0, closedAt=network.start_of(0) + 180):
        oracle.openEpoch(0, sender=network.accounts[40])


def test_an_epoch_repeated__opened_twice__wrong_phase(network, opened):
    with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=0, phase=1):
        network.EpochOracle.openEpoch(0, sender=network.accounts[40])


def test_open_epoch__no_seats__refused(network):
    for account, _ in network.seats:
        network.ValidatorSet.leave(sender=account)
    network.go_to(network.start_of(0) + 1)
    with ape.reverts(network.EpochOracle.EpochOracle_NoSeats, epoch=0):
        network.EpochOracle.openEpoch(0, sender=network.accounts[40])


def test_steps_out_of_order__each__wrong_phase(network, opened):
    oracle, anyone = network.EpochOracle, network.accounts[40]
    with ape.reverts(oracle.EpochOracle_WrongPhase, epoch=0, phase=1):
        oracle.draw(0, sender=anyone)
    with ape.reverts(oracle.EpochOracle_WrongPhase, epoch=0, phase=1):
        oracle.report((0, 0, b"\1" * 32, b"\0" * 32, 0, b"\0" * 32), (0, b""), sender=anyone)
    with ape.reverts(oracle.EpochOracle_WrongPhase, epoch=7, phase=0):
        oracle.draw(7, sender=anyone)
    seal_call(opened)
    with ape.reverts(oracle.EpochOracle_WrongPhase, epoch=0, phase=2):
        seal_call(opened, root=b"\2" * 32)


def test_a_zero_root__sealed_or_reported__refused(network, opened):
    oracle = network.EpochOracle
    for root, count in ((b"\0" * 32, 3), (b"\1" * 32, 0)):
        with ape.reverts(oracle.EpochOracle_ZeroRoot, epoch=0):
            seal_call(opened, root=root, count=count)
    opened.seal([opened.commit(network.devices[0])]).draw()
    for devices, rewards, total in ((b"\0" * 32, b"\1" * 32, 1), (b"\1" * 32, b"\0" * 32, 1)):
        with ape.reverts(oracle.EpochOracle_ZeroRoot, epoch=0):
            oracle.report((0, 0, devices, rewards, total, b""), (0, b""), sender=network.accounts[40])


def test_seal__nothing_to_seal__accepted_for_the_uptime_of_leased_devices(network, opened):
    opened.seal([]).draw()
    opened.report([opened.leaf(network.devices[0], flags=2)])
    assert network.EpochOracle.epochState(0).phase == PHASES["Reported"]


def test_too_few_signatures__below_two_thirds__no_quorum(network, opened):
    with ape.reverts(network.EpochOracle.EpochOracle_NoQuorum, signed=2, quorum=3):
        seal_call(opened, lambda digest: network.quorum(digest, [0, 1]))


def test_bits_above_the_set__mask__refused(network, opened):
    with ape.reverts(network.EpochOracle.EpochOracle_SignersOutOfSet, signers=0b10111, seats=4):
        seal_call(opened, lambda d: (0b10111, network.quorum(d, [0, 1, 2])[1] + b"\1" * 64))


@pytest.mark.parametrize("change", [64, -64, 1, -1])
def test_too_many_too_few_trailing_signatures__length__refused(network, opened, change):
    def quorum(digest):
        mask, signatures = network.quorum(digest)
        return mask, signatures + b"\1" * change if change > 0 else signatures[:change]

    with ape.reverts(network.EpochOracle.EpochOracle_SignatureLength, length=192 + change, expected=192):
        seal_call(opened, quorum)


@pytest.mark.parametrize("order", [[0, 0, 1], [0, 1, 0], [1, 0, 2]])
def test_the_same_signer_twice__adjacent_and_not__or_out_of_order__refused(network, opened, order):
    from assay.protocol.signing import sign_compact

    def quorum(digest):
        return 0b111, b"".join(sign_compact(digest, network.seats[i][1]) for i in order)

    with ape.reverts(network.EpochOracle.EpochOracle_BadSignature):
        seal_call(opened, quorum)


def test_high_s__malleated_signature__refused(network, opened):
    def quorum(digest):
        mask, signatures = network.quorum(digest)
        r, vs = signatures[:32], int.from_bytes(signatures[32:64], "big")
        s, parity = vs & ((1 << 255) - 1), vs >> 255
        high = CURVE_ORDER - s
        assert high > HALF_ORDER
        flipped = (high | (parity ^ 1) << 255).to_bytes(32, "big")
        return mask, r + flipped + signatures[64:]

    with ape.reverts(network.EpochOracle.EpochOracle_BadSignature, seat=0):
        seal_call(opened, quorum)


def test_a_zero_key__signature_that_recovers_nothing__refused(network, opened):
    def quorum(digest):
        mask, signatures = network.quorum(digest)
        return mask, b"\0" * 64 + signatures[64:]

    with ape.reverts(network.EpochOracle.EpochOracle_BadSignature, seat=0, recovered="0x" + "00" * 20):
        seal_call(opened, quorum)


@pytest.mark.parametrize("replay", ["chain", "contract", "epoch", "set", "round", "count"])
def test_a_signature_replayed_on_another__refused(network, opened, replay):
    from dataclasses import replace

    message = opened.seal_message(b"\1" * 32, 3)
    domain = network.domain("EpochOracle")
    if replay == "chain":
        domain = Domain(1, network.EpochOracle.address)
    elif replay == "contract":
        domain = Domain(31337, network.LeaseEscrow.address)
    else:
        field = {"epoch": "epoch", "set": "set_id", "round": "round", "count": "count"}[replay]
        message = replace(message, **{field: getattr(message, field) + 1})
    with ape.reverts(network.EpochOracle.EpochOracle_BadSignature, seat=0):
        seal_call(opened, digest=message.digest(domain))


def test_seal_draw_report__past_their_deadlines__too_late(network, opened):
    oracle, start = network.EpochOracle, network.start_of(0)
    network.go_to(start + 1981)
    with ape.reverts(oracle.EpochOracle_TooLate, epoch=0, closedAt=start + 1980):
        seal_call(opened)


def test_draw__past_its_deadline__too_late(network, sealed):
    network.go_to(network.start_of(0) + 2341)
    network.chain.mine(5)
    with ape.reverts(network.EpochOracle.EpochOracle_TooLate, epoch=0):
        network.EpochOracle.draw(0, sender=network.accounts[40])


def test_report__past_its_deadline__too_late(network, drawn):
    network.go_to(network.start_of(0) + 5401)
    with ape.reverts(network.EpochOracle.EpochOracle_TooLate, epoch=0):
        drawn.report([drawn.leaf(d) for d in network.devices])


def test_draw__before_its_block__too_early(network, sealed):
    block = network.EpochOracle.epochState(0).sealBlock
    with ape.reverts(network.EpochOracle.EpochOracle_TooEarly, epoch=0, opensAt=block + 5):
        network.EpochOracle.draw(0, sender=network.accounts[40])


def test_draw__whoever_and_whenever__the_same(network, sealed):
    block = int(network.EpochOracle.epochState(0).sealBlock) + 4
    network.chain.mine(60)
    network.EpochOracle.draw(0, sender=network.accounts[33])
    expected = keccak(bytes(network.chain.blocks[block].hash) + sealed.seal_tree.root)
    assert bytes(network.EpochOracle.epochState(0).rho) == expected


def test_two_reports_for_one_epoch__second__wrong_phase(network, drawn):
    drawn.report([drawn.leaf(d) for d in network.devices])
    with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=0, phase=4):
        drawn.report([drawn.leaf(d) for d in network.devices[:2]])


def test_report__stale_after_a_newer_one__out_of_order(network):
    first = Epoch(network, 0).open()
    first.seal([first.commit(network.devices[0])]).draw()
    run_epoch(network, 1, network.devices[:1])
    with ape.reverts(network.EpochOracle.EpochOracle_OutOfOrder, epoch=0, lastReported=1):
        first.report([first.leaf(network.devices[0])])


def test_report__rewards_total_shrank__refused(network):
    account = network.accounts[20].address
    run_epoch(network, 0, network.devices[:1], rewards=[(account, 100)])
    with ape.reverts(network.EpochOracle.EpochOracle_RewardsShrank, total=99, previous=100):
        run_epoch(network, 1, network.devices[:1], rewards=[(account, 99)])


def test_report__rewards_beyond_the_schedule__refused(network, drawn):
    limit = network.RewardsDistributor.scheduleLimit(0)
    with ape.reverts(network.EpochOracle.EpochOracle_RewardsBeyondSchedule, total=limit + 1, limit=limit):
        drawn.report([drawn.leaf(network.devices[0])], [(network.accounts[20].address, limit + 1)])


def test_no_rewards_below_four_seats__three__nothing_new(network):
    network.ValidatorSet.leave(sender=network.seats[3][0])
    held = network.seats.pop()
    try:
        epoch = Epoch(network, 0).open().seal([]).draw()
        with ape.reverts(network.EpochOracle.EpochOracle_RewardsBeyondSchedule, total=1, limit=0):
            epoch.report([epoch.leaf(network.devices[0], 2)], [(network.accounts[20].address, 1)])
        epoch.rewards = None
        epoch.report([epoch.leaf(network.devices[0], 2)])
    finally:
        network.seats.append(held)


def test_add_signatures__late_seats__presence(network, drawn):
    drawn.report([drawn.leaf(network.devices[0])], seats=[0, 1, 2])
    oracle, anyone = network.EpochOracle, network.accounts[40]
    seal = drawn.seal_message(drawn.seal_tree.root, 3).digest(network.domain("EpochOracle"))
    oracle.addSignatures(0, False, 0, network.quorum(seal, [3]), sender=anyone)
    report = drawn.report_message(0).digest(network.domain("EpochOracle"))
    oracle.addSignatures(0, True, 0, network.quorum(report, [3]), sender=anyone)
    assert oracle.presence(0) == (1, 0b1111, 0b1111)
    with ape.reverts(oracle.EpochOracle_BadSignature, seat=3):
        oracle.addSignatures(0, True, 0, network.quorum(seal, [3]), sender=anyone)
    with ape.reverts(oracle.EpochOracle_NoQuorum, signed=0, quorum=1):
        oracle.addSignatures(0, True, 0, (0, b""), sender=anyone)


def test_add_signatures__before_what_they_sign__wrong_phase(network, opened):
    for is_report in (False, True):
        with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=0, phase=1):
            network.EpochOracle.addSignatures(0, is_report, 0, (1, b"\1" * 64), sender=network.accounts[40])


def test_add_signatures__too_late_to_count__refused(network, sealed):
    network.go_to(network.start_of(0) + 2341)
    with ape.reverts(network.EpochOracle.EpochOracle_TooLate, epoch=0):
        network.EpochOracle.addSignatures(0, False, 0, (1, b"\1" * 64), sender=network.accounts[40])


@pytest.mark.parametrize(("step", "deadline", "phase"), [("opened", 1980, 1), ("sealed", 2340, 2), ("drawn", 5400, 3)])
def test_void_epoch__a_deadline_passed__void_but_provable(network, request, step, deadline, phase):
    epoch = request.getfixturevalue(step)
    oracle, anyone = network.EpochOracle, network.accounts[40]
    network.go_to(network.start_of(0) + deadline - 1)
    with ape.reverts(oracle.EpochOracle_NotDue, epoch=0):
        oracle.voidEpoch(0, sender=anyone)
    network.go_to(network.start_of(0) + deadline + 1)
    oracle.voidEpoch(0, sender=anyone)
    state = oracle.epochState(0)
    assert state.phase == PHASES["Void"]
    assert oracle.provable(0)
    assert bytes(state.epochSeed) == epoch.seed
    assert bytes(state.rho) == epoch.rho.rjust(32, b"\0")
    with ape.reverts(oracle.EpochOracle_WrongPhase, phase=5):
        oracle.voidEpoch(0, sender=anyone)


def test_void_epoch__never_opened_or_reported__wrong_phase(network, drawn):
    with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=3, phase=0):
        network.EpochOracle.voidEpoch(3, sender=network.accounts[40])
    drawn.report([drawn.leaf(network.devices[0])])
    with ape.reverts(network.EpochOracle.EpochOracle_WrongPhase, epoch=0, phase=4):
        network.EpochOracle.voidEpoch(0, sender=network.accounts[40])


def test_an_epoch_skipped__the_next__goes_on(network):
    run_epoch(network, 0, network.devices)
    run_epoch(network, 2, network.devices)
    assert network.EpochOracle.epochState(1).phase == PHASES["None"]
    assert network.EpochOracle.lastReport().epoch == 2


def test_ring__epoch_overwritten__zero_state_and_nothing_of_the_old_as_the_new(network):
    epoch = run_epoch(network, 0, network.devices)
    ring = network.EpochOracle.ringSize()
    leaf, proof = epoch.proof(network.devices[0])
    Epoch(network, ring).open()
    oracle = network.EpochOracle
    assert oracle.epochState(0).phase == 0
    assert bytes(oracle.epochSeed(0)) == b"\0" * 32
    assert not oracle.provable(0)
    assert oracle.verifyDevice(leaf, proof)  # the report names its epoch and stays until another takes its place
    fresh = oracle.epochState(ring)
    assert fresh.phase == 1
    assert bytes(fresh.sealRoot) == bytes(fresh.rho) == bytes(fresh.devicesRoot) == b"\0" * 32
    assert not oracle.verifyDevice((ring, *leaf[1:]), proof)
    assert oracle.rewardsOf(ring).reportedAt == 0
    assert oracle.sealOf(ring).count == 0


def test_ring__report_overwritten__nothing_of_the_old_shows(network):
    old = run_epoch(network, 0, network.devices)
    leaf, proof = old.proof(network.devices[0])
    run_epoch(network, network.EpochOracle.ringSize(), network.devices)
    assert not network.EpochOracle.verifyDevice(leaf, proof)
    assert bytes(network.EpochOracle.devicesRootOf(0)) == b"\0" * 32
    assert network.EpochOracle.rewardsOf(0).reportedAt == 0


def test_verify_device__another_leaf_or_epoch__false(network):
    epoch = run_epoch(network, 0, network.devices)
    leaf, proof = epoch.proof(network.devices[0])
    assert not network.EpochOracle.verifyDevice((*leaf[:4], 5_000, *leaf[5:]), proof)
    assert not network.EpochOracle.verifyDevice(leaf, proof[:-1])
    assert not network.EpochOracle.verifyDevice((1, *leaf[1:]), proof)


@pytest.mark.parametrize(
    ("place", "what", "value"),
    [(1, "epochLength", 0), (2, "openBy", 0), (2, "openBy", 1980), (3, "sealBy", 2340), (4, "drawBy", 3600),
     (5, "reportBy", 2340), (5, "reportBy", 7201), (6, "drawDelay", 0), (7, "proofWindow", 5400)],
)  # fmt: skip
def test_constructor__timing_off_the_rules__refused(network, place, what, value):
    timing = [network.genesis, 3600, 180, 1980, 2340, 5400, 4, 21_600]
    timing[place] = value
    with ape.reverts(network.EpochOracle.EpochOracle_BadTiming, what=what, value=value):
        network.bystander.deploy(
            network.project.EpochOracle, network.ValidatorSet, network.RewardsDistributor, tuple(timing)
        )
