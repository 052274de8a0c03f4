// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OCR2Base} from "@chainlink/contracts/src/v0.8/shared/ocr2/OCR2Base.sol";

import {Measured} from "../Measured.sol";

/// @title Chainlink's OCR2Base, storing one word of each report
contract RootStore is OCR2Base {
    bytes32 public root;

    constructor(bool uniqueReports) OCR2Base(uniqueReports) { }

    function typeAndVersion() external pure override returns (string memory) {
        return "RootStore";
    }

    function _beforeSetConfig(uint8, bytes memory) internal override { }

    function _afterSetConfig(uint8, bytes memory) internal override { }

    function _validateReport(bytes32, uint40, bytes memory) internal pure override returns (bool) {
        return true;
    }

    function _report(uint256, address, uint8, address[MAX_NUM_ORACLES] memory, bytes calldata report) internal override {
        root = bytes32(report[0:32]);
    }
}

contract TransmitGas is Measured {
    uint256 internal constant KEY = 0x0c40000;

    function transmit(uint256 n, uint8 f, bool unique, string memory what) internal {
        RootStore store = new RootStore(unique);
        address[] memory signers = new address[](n);
        address[] memory transmitters = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            signers[i] = vm.addr(KEY + i);
            transmitters[i] = vm.addr(KEY + 1_000 + i);
        }
        store.setConfig(signers, transmitters, f, "", 1, "");
        (,, bytes32 config) = store.latestConfigDetails();
        uint256 count = unique ? (n + f) / 2 + 1 : f + 1;
        for (uint256 turn = 0; turn < 2; ++turn) {
            bytes32[3] memory context = [config, bytes32(0x100 + turn), bytes32(0)];
            bytes memory report = abi.encode(keccak256(abi.encode("root", turn)));
            bytes32[] memory rs = new bytes32[](count);
            bytes32[] memory ss = new bytes32[](count);
            bytes memory vs = new bytes(32);
            for (uint256 i = 0; i < count; ++i) {
                bytes32 digest = keccak256(abi.encodePacked(keccak256(report), context));
                uint8 v;
                (v, rs[i], ss[i]) = vm.sign(KEY + i, digest);
                vs[i] = bytes1(v - 27);
            }
            vm.prank(transmitters[0]);
            store.transmit(context, report, rs, ss, bytes32(vs));
        }
        note("Chainlink OCR2", what);
    }

    function test_gas_of_transmit() public {
        transmit(4, 1, false, "transmit, n = 4, f + 1 = 2 signatures");
        transmit(7, 2, false, "transmit, n = 7, f + 1 = 3 signatures");
        transmit(10, 3, false, "transmit, n = 10, f + 1 = 4 signatures");
        transmit(31, 10, false, "transmit, n = 31, f + 1 = 11 signatures");
    }

    function test_gas_of_transmit_by_a_quorum() public {
        transmit(4, 1, true, "transmit, n = 4, quorum of 3 signatures");
        transmit(7, 2, true, "transmit, n = 7, quorum of 5 signatures");
        transmit(10, 3, true, "transmit, n = 10, quorum of 7 signatures");
        transmit(31, 10, true, "transmit, n = 31, quorum of 21 signatures");
    }
}
