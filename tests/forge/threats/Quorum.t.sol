// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Epochs} from "../base/Epochs.sol";

/// @title Threats on the quorum: signatures
contract QuorumSignatureThreats is Epochs {
    bytes32 internal constant ROOT = keccak256("sealed");
    uint256 internal constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() public {
        deployNetwork();
        joinSeats(7);
        openEpoch(0);
    }

    function digest() internal view returns (bytes32) {
        return sealDigest(0, 0, ROOT, 3);
    }

    function refused(IEpochOracle.Quorum memory q, bytes4 selector) internal {
        vm.expectPartialRevert(selector);
        oracle.seal(0, 0, ROOT, 3, q);
    }

    function slices(uint256 mask) internal view returns (bytes[] memory list) {
        list = new bytes[](7);
        for (uint256 i = 0; i < 7; ++i) {
            if ((mask >> i) & 1 == 1) list[i] = signed(SEAT_KEY + i, digest());
        }
    }

    function test_a_quorum_of_five_of_seven__is_accepted() public {
        oracle.seal(0, 0, ROOT, 3, quorumOf(digest(), 0x5d));
        (bytes32 root, uint32 count, uint32 signers,) = oracle.sealOf(0);
        eq(root, ROOT, "root");
        eq(count, 3, "count");
        eq(signers, 0x5d, "signers");
    }

    function test_the_same_signer_twice_adjacent__reverts() public {
        bytes[] memory s = slices(0x1f);
        IEpochOracle.Quorum memory q = IEpochOracle.Quorum(0x1f, bytes.concat(s[0], s[0], s[2], s[3], s[4]));
        refused(q, IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_the_same_signer_twice_apart__reverts() public {
        bytes[] memory s = slices(0x1f);
        IEpochOracle.Quorum memory q = IEpochOracle.Quorum(0x1f, bytes.concat(s[0], s[1], s[2], s[3], s[0]));
        refused(q, IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_signatures_out_of_seat_order__reverts() public {
        bytes[] memory s = slices(0x1f);
        IEpochOracle.Quorum memory q = IEpochOracle.Quorum(0x1f, bytes.concat(s[1], s[0], s[2], s[3], s[4]));
        refused(q, IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_bits_above_the_set__reverts(uint8 bit) public {
        uint256 above = 7 + uint256(bit) % 25;
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x1f);
        q.signers |= uint32(1 << above);
        q.signatures = bytes.concat(q.signatures, signed(SEAT_KEY + above, digest()));
        refused(q, IEpochOracle.EpochOracle_SignersOutOfSet.selector);
    }

    function test_too_few__reverts(uint8 mask) public {
        uint256 few = uint256(mask) & 0x7f;
        uint256 bits;
        for (uint256 rest = few; rest != 0; rest &= rest - 1) ++bits;
        if (bits >= 5) few &= 0x0f;
        refused(quorumOf(digest(), few), IEpochOracle.EpochOracle_NoQuorum.selector);
    }

    function test_too_many_signatures_for_the_mask__reverts() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x3f);
        q.signers = 0x1f;
        refused(q, IEpochOracle.EpochOracle_SignatureLength.selector);
    }

    function test_trailing_bytes__reverts() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x1f);
        q.signatures = bytes.concat(q.signatures, hex"00");
        refused(q, IEpochOracle.EpochOracle_SignatureLength.selector);
    }

    function test_a_signature_cut_short__reverts() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x1f);
        bytes memory short = new bytes(q.signatures.length - 1);
        for (uint256 i = 0; i < short.length; ++i) short[i] = q.signatures[i];
        q.signatures = short;
        refused(q, IEpochOracle.EpochOracle_SignatureLength.selector);
    }

    function test_a_high_s__reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SEAT_KEY, digest());
        // The parity flips with s; what of a high s does not fit beside it is cut off, which recovers another key.
        uint256 high = ORDER - uint256(s);
        isTrue(high > ORDER / 2, "s is high");
        bytes32 vs = bytes32((high & (type(uint256).max >> 1)) | (v == 27 ? uint256(1) << 255 : 0));
        bytes[] memory rest = slices(0x1e);
        bytes memory all = bytes.concat(abi.encodePacked(r, vs), rest[1], rest[2], rest[3], rest[4]);
        refused(IEpochOracle.Quorum(0x1f, all), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_s_at_half_the_order_plus_one__recovers_nobody() public {
        bytes[] memory rest = slices(0x1e);
        bytes memory half = abi.encodePacked(keccak256("r"), bytes32(ORDER / 2 + 1));
        bytes memory all = bytes.concat(half, rest[1], rest[2], rest[3], rest[4]);
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_BadSignature.selector, 0, seatSigner(0), address(0))
        );
        oracle.seal(0, 0, ROOT, 3, IEpochOracle.Quorum(0x1f, all));
    }

    function test_a_zero_signature__reverts() public {
        bytes[] memory rest = slices(0x1e);
        bytes memory all = bytes.concat(new bytes(64), rest[1], rest[2], rest[3], rest[4]);
        refused(IEpochOracle.Quorum(0x1f, all), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_a_zero_key_takes_no_seat() public {
        address account = seatAccount(20);
        stakeFor(account, SEAT_STAKE);
        vm.expectRevert();
        vm.prank(account);
        seats.join(address(0), "", 0, new bytes(64));
    }

    function test_a_signature_over_another_chain__reverts() public {
        uint256 home = block.chainid;
        vm.chainId(home + 1);
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x1f);
        vm.chainId(home);
        refused(q, IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_a_signature_over_another_contract__reverts() public {
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        bytes memory encoded = abi.encode(SEAL_TYPE, uint64(0), s.setId, uint32(0), s.epochSeed, ROOT, uint32(3));
        refused(quorumOf(digestIn(address(seats), encoded), 0x1f), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_a_signature_over_another_epoch_set_round_seed_or_count__reverts() public {
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        bytes32 seed = s.epochSeed;
        other(abi.encode(SEAL_TYPE, uint64(1), s.setId, uint32(0), seed, ROOT, uint32(3)));
        other(abi.encode(SEAL_TYPE, uint64(0), s.setId + 1, uint32(0), seed, ROOT, uint32(3)));
        other(abi.encode(SEAL_TYPE, uint64(0), s.setId, uint32(1), seed, ROOT, uint32(3)));
        other(abi.encode(SEAL_TYPE, uint64(0), s.setId, uint32(0), keccak256("another beacon"), ROOT, uint32(3)));
        other(abi.encode(SEAL_TYPE, uint64(0), s.setId, uint32(0), seed, keccak256("other"), uint32(3)));
        other(abi.encode(SEAL_TYPE, uint64(0), s.setId, uint32(0), seed, ROOT, uint32(4)));
    }

    function other(bytes memory encoded) internal {
        refused(quorumOf(digestIn(address(oracle), encoded), 0x1f), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_a_zero_root_with_devices_or_devices_with_none__reverts() public {
        bytes32 d = sealDigest(0, 0, 0, 3);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_ZeroRoot.selector);
        oracle.seal(0, 0, 0, 3, quorumOf(d, 0x1f));
        d = sealDigest(0, 0, ROOT, 0);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_ZeroRoot.selector);
        oracle.seal(0, 0, ROOT, 0, quorumOf(d, 0x1f));
    }

    function test_quorums_of_every_size_of_set__are_exact() public {
        for (uint256 n = 8; n <= 12; ++n) {
            uint64 e = uint64(n - 7) * 3;
            join(n - 1, SEAT_STAKE);
            openEpoch(e);
            uint256 seated = oracle.epochState(e).seats;
            bytes32 d = sealDigest(e, 0, ROOT, 1);
            IEpochOracle.Quorum memory few = quorumOver(d, quorumOf(seated) - 1);
            vm.expectPartialRevert(IEpochOracle.EpochOracle_NoQuorum.selector);
            oracle.seal(e, 0, ROOT, 1, few);
            oracle.seal(e, 0, ROOT, 1, quorumOver(d, quorumOf(seated)));
        }
    }

    function test_late_signatures__count_once_and_only_for_what_was_accepted() public {
        oracle.seal(0, 0, ROOT, 3, quorumOf(digest(), 0x1f));
        oracle.addSignatures(0, false, 0, quorumOf(digest(), 0x60));
        (, uint32 signers,) = oracle.presence(0);
        eq(signers, 0x7f, "all seven");
        oracle.addSignatures(0, false, 0, quorumOf(digest(), 0x60));
        (, signers,) = oracle.presence(0);
        eq(signers, 0x7f, "still seven");
        IEpochOracle.Quorum memory wrong = quorumOf(sealDigest(0, 0, keccak256("other"), 3), 0x40);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.addSignatures(0, false, 0, wrong);
        IEpochOracle.Quorum memory none = IEpochOracle.Quorum(0, "");
        vm.expectPartialRevert(IEpochOracle.EpochOracle_NoQuorum.selector);
        oracle.addSignatures(0, false, 0, none);
        IEpochOracle.Quorum memory early = quorumOf(digest(), 0x40);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.addSignatures(0, true, 0, early);
        vm.warp(startOf(0) + DRAW_BY);
        oracle.addSignatures(0, false, 0, early);
        vm.warp(startOf(0) + DRAW_BY + 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooLate.selector);
        oracle.addSignatures(0, false, 0, early);
    }
}
