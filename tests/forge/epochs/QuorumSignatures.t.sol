// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

/// @title What does not pass for a quorum of five of seven
contract QuorumSignaturesTest is Steps {
    uint256 internal constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint32 internal constant FIVE = 0x1f;

    function setUp() public override {
        super.setUp();
        openEpoch(0);
    }

    function digest() internal view returns (bytes32) {
        return sealDigest(0, 0, ROOT, 3);
    }

    function signature(uint256 i) internal view returns (bytes memory) {
        return signed(SEAT_KEY + i, digest());
    }

    /// @dev The signatures of seats 1 to 4, behind what is to pass for that of seat 0.
    function withRest(bytes memory first) internal view returns (IEpochOracle.Quorum memory) {
        bytes memory all = bytes.concat(first, signature(1), signature(2), signature(3), signature(4));
        return IEpochOracle.Quorum(FIVE, all);
    }

    function badSignature(uint256 seat, address recovered) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IEpochOracle.EpochOracle_BadSignature.selector, seat, seatSigner(seat), recovered
        );
    }

    function badLength(uint256 length, uint256 expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEpochOracle.EpochOracle_SignatureLength.selector, length, expected);
    }

    function refused(IEpochOracle.Quorum memory q, bytes4 selector) internal {
        vm.expectPartialRevert(selector);
        oracle.seal(0, 0, ROOT, 3, q);
    }

    function test_quorum__same_signer_twice_adjacent__refused() public {
        bytes memory all = bytes.concat(signature(0), signature(0), signature(2), signature(3), signature(4));
        sealFails(0, IEpochOracle.Quorum(FIVE, all), badSignature(1, seatSigner(0)));
    }

    function test_quorum__same_signer_twice_apart__refused() public {
        bytes memory all = bytes.concat(signature(0), signature(1), signature(2), signature(3), signature(0));
        sealFails(0, IEpochOracle.Quorum(FIVE, all), badSignature(4, seatSigner(0)));
    }

    function test_quorum__signatures_out_of_seat_order__refused() public {
        bytes memory all = bytes.concat(signature(1), signature(0), signature(2), signature(3), signature(4));
        sealFails(0, IEpochOracle.Quorum(FIVE, all), badSignature(0, seatSigner(1)));
    }

    function test_quorum__bits_above_the_set__refused(uint8 bit) public {
        uint256 above = 7 + uint256(bit) % 25;
        IEpochOracle.Quorum memory q = quorumOf(digest(), FIVE);
        q.signers |= uint32(1 << above);
        q.signatures = bytes.concat(q.signatures, signed(SEAT_KEY + above, digest()));
        sealFails(
            0,
            q,
            abi.encodeWithSelector(IEpochOracle.EpochOracle_SignersOutOfSet.selector, q.signers, uint256(7))
        );
    }

    function test_quorum__too_few__refused_with_how_many(uint8 mask) public {
        uint256 few = uint256(mask) & 0x7f;
        if (bits(few) >= 5) few &= 0x0f;
        sealFails(
            0,
            quorumOf(digest(), few),
            abi.encodeWithSelector(IEpochOracle.EpochOracle_NoQuorum.selector, bits(few), uint256(5))
        );
    }

    function test_quorum__more_signatures_than_the_mask_names__refused() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), 0x3f);
        q.signers = FIVE;
        sealFails(0, q, badLength(384, 320));
    }

    function test_quorum__trailing_byte__refused() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), FIVE);
        q.signatures = bytes.concat(q.signatures, hex"00");
        sealFails(0, q, badLength(321, 320));
    }

    function test_quorum__signature_cut_short__refused() public {
        IEpochOracle.Quorum memory q = quorumOf(digest(), FIVE);
        bytes memory short = new bytes(q.signatures.length - 1);
        for (uint256 i = 0; i < short.length; ++i) short[i] = q.signatures[i];
        q.signatures = short;
        sealFails(0, q, badLength(319, 320));
    }

    function test_quorum__high_s__refused() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SEAT_KEY, digest());
        // The parity flips with s; what of a high s does not fit beside it is cut off, which recovers another key.
        uint256 high = ORDER - uint256(s);
        isTrue(high > ORDER / 2, "s is high");
        bytes32 vs = bytes32((high & (type(uint256).max >> 1)) | (v == 27 ? uint256(1) << 255 : 0));
        refused(withRest(abi.encodePacked(r, vs)), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    /// @dev A signature whose s is half the order, and one above it, of a signer that was made to fit.
    function test_quorum__high_s_of_a_signer_that_fits__refused() public {
        bytes32 r = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
        for (uint256 s = ORDER / 2; s < ORDER / 2 + 2; ++s) {
            address fits = ecrecover(digest(), 27, r, bytes32(s));
            isTrue(fits != address(0), "a signer");
            bytes memory blob = abi.encodePacked(hex"00", fits);
            for (uint256 i = 1; i < 7; ++i) blob = abi.encodePacked(blob, seatSigner(i));
            for (uint256 i = 0; i < 7; ++i) blob = abi.encodePacked(blob, seatAccount(i));
            vm.etch(vm.computeCreateAddress(address(seats), 1), blob);
            IEpochOracle.Quorum memory q = withRest(abi.encodePacked(r, bytes32(s)));
            uint256 state = vm.snapshotState();
            if (s > ORDER / 2) vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
            oracle.seal(0, 0, ROOT, 3, q);
            vm.revertToState(state);
        }
    }

    function test_quorum__s_at_half_the_order_and_one__recovers_nobody() public {
        bytes memory half = abi.encodePacked(keccak256("r"), bytes32(ORDER / 2 + 1));
        sealFails(0, withRest(half), badSignature(0, address(0)));
    }

    function test_quorum__zero_signature__recovers_nobody() public {
        sealFails(0, withRest(new bytes(64)), badSignature(0, address(0)));
    }

    function test_quorum__signed_on_another_chain__refused() public {
        uint256 home = block.chainid;
        vm.chainId(home + 1);
        IEpochOracle.Quorum memory q = quorumOf(digest(), FIVE);
        vm.chainId(home);
        refused(q, IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function test_quorum__signed_for_another_contract__refused() public {
        refused(
            quorumOf(digestIn(address(seats), message(0, 0, seed(), ROOT, 3)), FIVE),
            IEpochOracle.EpochOracle_BadSignature.selector
        );
    }

    function test_quorum__signed_for_another_epoch_set_round_seed_root_or_count__refused() public {
        other(abi.encode(SEAL_TYPE, uint64(0), uint32(2), uint32(0), seed(), ROOT, uint32(3)));
        other(message(1, 0, seed(), ROOT, 3));
        other(message(0, 1, seed(), ROOT, 3));
        other(message(0, 0, keccak256("another beacon"), ROOT, 3));
        other(message(0, 0, seed(), keccak256("other"), 3));
        other(message(0, 0, seed(), ROOT, 4));
    }

    function test_quorum__sets_of_every_size__exactly_two_thirds_and_one() public {
        for (uint256 n = 8; n <= 12; ++n) {
            uint64 e = uint64(n - 7) * 3;
            join(n - 1, SEAT_STAKE);
            openEpoch(e);
            uint256 seated = oracle.epochState(e).seats;
            bytes32 d = sealDigest(e, 0, ROOT, 3);
            sealFails(
                e,
                quorumOver(d, quorumOf(seated) - 1),
                abi.encodeWithSelector(
                    IEpochOracle.EpochOracle_NoQuorum.selector, quorumOf(seated) - 1, quorumOf(seated)
                )
            );
            oracle.seal(e, 0, ROOT, 3, quorumOver(d, quorumOf(seated)));
        }
    }

    function other(bytes memory encoded) internal {
        refused(quorumOf(digestIn(address(oracle), encoded), FIVE), IEpochOracle.EpochOracle_BadSignature.selector);
    }

    function message(uint64 epoch, uint32 round, bytes32 seed_, bytes32 root, uint32 count)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encode(SEAL_TYPE, epoch, uint32(1), round, seed_, root, count);
    }

    function seed() internal view returns (bytes32) {
        return oracle.epochSeed(0);
    }

    function bits(uint256 mask) internal pure returns (uint256 n) {
        for (; mask != 0; mask &= mask - 1) ++n;
    }
}
