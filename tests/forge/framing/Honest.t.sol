// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title Honest parties, accused of everything
contract HonestAreNotFramed is Accused {
    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal first;
    Prover.Work internal second;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        first = workOf(deviceIds[0]);
        second = workOf(deviceIds[1]);
        commitments.push(commitmentOf(deviceIds[0], first.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], second.resultRoot));
        settle(commitments);
    }

    function work(uint256 d) internal view returns (Prover.Work memory) {
        return d == 0 ? first : second;
    }

    /// @dev Every element of every round of both devices is the one that the contract computes.
    function test_wrong_element__never_convicts_an_honest_element(uint256 d, uint256 t, uint256 i, uint256 j) public {
        (d, t, i, j) = (d % 2, t % 3, i % 2, j % 64);
        Prover.Work memory w = work(d);
        refused(
            wrongElement(commitments[d], Prover.round(w, t), Prover.element(w, t, i, j), bytes32(j)),
            IFraudErrors.FraudProofs_ElementCorrect.selector
        );
    }

    /// @dev Whatever the accuser changes in what he shows, it no longer stands under what the device signed.
    function test_wrong_element__refuses_anything_not_committed(uint256 what, uint256 at, uint256 value) public {
        IFraudProofs.Commitment memory c = commitments[0];
        IFraudProofs.Round memory r = Prover.round(first, at % 3);
        IFraudProofs.Element memory e = Prover.element(first, at % 3, at % 2, at % 64);
        what = what % 12;
        bytes32 other = keccak256(abi.encode(value));
        if (what == 0) c.resultRoot = other;
        else if (what == 1) c.nonceRoot = other;
        else if (what == 2) c.deviceId = deviceIds[1];
        else if (what == 3) r.seed = other;
        else if (what == 4) r.root = other;
        else if (what == 5) r.t = uint32((r.t + 1 + value % 7) % 8);
        else if (what == 6) r.path[value % r.path.length] = other;
        else if (what == 7) e.i ^= 1;
        else if (what == 8) e.chunk[value % 128] ^= bytes1(uint8(1 + value % 255));
        else if (what == 9) e.path[value % 2] = other;
        else if (what == 10) c.epoch = uint64(1 + value % 20);
        else c.jobHash = other;
        (bool ok,) = accuse(wrongElement(c, r, e, bytes32(value)));
        isTrue(!ok, "an honest device was convicted");
        nobodySlashed();
    }

    function test_a_path_longer_shorter_or_of_another_position__is_refused(uint256 at) public {
        IFraudProofs.Round memory r = Prover.round(first, at % 3);
        IFraudProofs.Element memory e = Prover.element(first, at % 3, at % 2, at % 64);
        IFraudProofs.Commitment memory c = commitments[0];
        bytes32[] memory right = e.path;
        e.path = new bytes32[](0);
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_PathLength.selector
        );
        e.path = new bytes32[](3);
        (e.path[0], e.path[1]) = (right[0], right[1]);
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_PathLength.selector
        );
        // A node where a chunk is expected: 64 bytes are not 128.
        e.path = new bytes32[](0);
        e.chunk = abi.encodePacked(keccak256("l"), keccak256("r"));
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_ChunkLength.selector
        );
        e = Prover.element(first, at % 3, at % 2, at % 64);
        e.i ^= 1;
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_BadPath.selector
        );
        e.i = 2;
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_OutOfRange.selector
        );
        (e.i, e.j) = (0, 64);
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_OutOfRange.selector
        );
        r.t = 3;
        refused(
            wrongElement(c, r, e, SALT),
            IFraudErrors.FraudProofs_OutOfRange.selector
        );
    }

    function chain(uint256 d, uint256 from, uint256 n) internal view returns (IFraudProofs.Round[] memory rounds) {
        rounds = new IFraudProofs.Round[](n);
        for (uint256 k = 0; k < n; ++k) rounds[k] = Prover.round(work(d), from + k);
    }

    function test_broken_chain__never_convicts_an_honest_chain() public {
        bytes4 correct = IFraudErrors.FraudProofs_ChainCorrect.selector;
        for (uint256 d = 0; d < 2; ++d) {
            for (uint256 n = 1; n <= 3; ++n) {
                refused(brokenChain(commitments[d], chain(d, 0, n), 0), correct);
            }
        }
        bytes4 gap = IFraudErrors.FraudProofs_NotConsecutive.selector;
        // A round shown without what comes before it would look broken.
        refused(brokenChain(commitments[0], chain(0, 1, 1), 0), gap);
        refused(brokenChain(commitments[0], chain(0, 1, 2), 0), gap);
        IFraudProofs.Round[] memory rounds = chain(0, 0, 3);
        (rounds[0], rounds[1]) = (rounds[1], rounds[0]);
        refused(brokenChain(commitments[0], rounds, 0), gap);
        rounds = chain(0, 0, 3);
        rounds[1] = rounds[0];
        refused(brokenChain(commitments[0], rounds, 0), gap);
        bytes4 number = IFraudErrors.FraudProofs_RoundCount.selector;
        refused(
            brokenChain(commitments[0], new IFraudProofs.Round[](0), 0), number
        );
        refused(
            brokenChain(commitments[0], new IFraudProofs.Round[](4), 0), number
        );
        // Rounds of another device stand under another root.
        refused(
            brokenChain(commitments[0], chain(1, 0, 1), 0),
            IFraudErrors.FraudProofs_BadPath.selector
        );
    }

    function test_a_commitment_nobody_signed__convicts_nobody() public {
        IFraudProofs.Commitment memory c = commitments[0];
        c.resultRoot = keccak256("garbage");
        bytes4 bad = IFraudErrors.FraudProofs_BadSignature.selector;
        refused(twoCommitments(commitments[0], c, 0), bad);
        (c.r, c.vs) = (0, 0);
        refused(twoCommitments(commitments[0], c, 0), bad);
        // Nor does one that nobody could have signed: an unknown device has the zero key.
        c.deviceId = keccak256("unknown");
        (bool ok,) = accuse(twoCommitments(c, c, 0));
        isTrue(!ok, "unknown");
        nobodySlashed();
    }

    function test_a_crash_and_rerun__the_same_commitment_twice_convicts_nobody() public {
        IFraudProofs.Commitment memory again = commitments[0];
        refused(
            twoCommitments(commitments[0], again, 0),
            IFraudErrors.FraudProofs_SameCommitment.selector
        );
    }

    /// @dev A device that signed for an epoch whose opening was then reorganised away has signed another seed.
    function test_a_reorg_of_open_epoch__convicts_nobody_for_what_was_signed_before_it() public {
        IFraudProofs.Commitment memory gone = commitmentOf(deviceIds[0], keccak256("work under the other beacon"));
        gone.jobHash = jobHash(keccak256("the other seed"));
        sign(gone);
        bytes4 job = IFraudErrors.FraudProofs_JobMismatch.selector;
        refused(twoCommitments(commitments[0], gone, 0), job);
        refused(twoCommitments(gone, commitments[0], 0), job);
        refused(
            wrongElement(gone, Prover.round(first, 0), Prover.element(first, 0, 0, 0), 0),
            job
        );
        refused(brokenChain(gone, chain(0, 0, 1), 0), job);
    }

    function test_a_key_enrolled_by_another_provider__is_another_device() public {
        IFraudProofs.Commitment memory theirs = commitmentOf(deviceIds[1], second.resultRoot);
        refused(
            twoCommitments(commitments[0], theirs, 0),
            IFraudErrors.FraudProofs_OtherResult.selector
        );
    }

    function test_a_handover__is_no_commitment() public {
        // Signed by the device key in LeaseEscrow's domain, over the same hashes.
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], keccak256("handover"));
        bytes memory encoded = abi.encode(
            keccak256("Handover(uint256 leaseId,bytes32 jobHash,bytes32 deviceId,bytes32 nonce,bytes32 resultRoot)"),
            uint256(0),
            c.jobHash,
            c.deviceId,
            c.nonceRoot,
            c.resultRoot
        );
        (c.r, c.vs) = vm.signCompact(DEVICE_KEY, digestIn(address(escrow), encoded));
        refused(
            twoCommitments(commitments[0], c, 0),
            IFraudErrors.FraudProofs_BadSignature.selector
        );
    }

    function test_a_pruned_beacon_or_a_closed_window__proves_nothing() public {
        bytes memory call = twoCommitments(commitments[0], commitmentOf(deviceIds[0], keccak256("second")), 0);
        vm.warp(startOf(1) + PROOF_WINDOW + 1);
        refused(call, IFraudErrors.FraudProofs_NotProvable.selector);
        openEpoch(oracle.ringSize());
        refused(call, IFraudErrors.FraudProofs_NotProvable.selector);
    }
}
