// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Token} from "../../../tests/forge/base/Extras.sol";
import {Measured} from "../Measured.sol";

interface Flow {
    function createAndDeposit(
        address sender,
        address recipient,
        uint128 ratePerSecond,
        uint40 startTime,
        address token,
        bool transferable,
        uint128 amount
    ) external payable returns (uint256);
    function deposit(uint256 streamId, uint128 amount, address sender, address recipient) external payable;
    function withdraw(uint256 streamId, address to, uint128 amount) external payable;
    function refund(uint256 streamId, uint128 amount) external payable;
    function pause(uint256 streamId) external payable;
}

/// @title Gas of Sablier Flow, from the bytecode that its authors publish
contract FlowGas is Measured {
    string private constant PACKAGES = "benchmarks/peers/node_modules/@sablier/";
    address internal constant SENDER = address(0x5e4de4);
    address internal constant RECIPIENT = address(0x4ec1);

    Flow internal flow;
    Token internal usd;

    function setUp() public {
        address logic = vm.deployCode(
            string.concat(PACKAGES, "evm-utils/artifacts/SablierComptroller.json"), abi.encode(address(this))
        );
        bytes memory start = abi.encodeWithSignature(
            "initialize(address,uint256,uint256,uint256,uint256,address)", address(this), 0, 0, 0, 0, address(0)
        );
        address comptroller = vm.deployCode(
            string.concat(PACKAGES, "evm-utils/artifacts/ERC1967Proxy.json"), abi.encode(logic, start)
        );
        flow = Flow(
            vm.deployCode(
                string.concat(PACKAGES, "flow/artifacts/SablierFlow.json"), abi.encode(comptroller, address(this))
            )
        );
        usd = Token(vm.deployCode("TestToken.sol:TestToken", abi.encode("Test Dollar", "tUSD", uint8(6))));
        usd.mint(SENDER, 1e15);
        usd.mint(RECIPIENT, 1);
        vm.prank(SENDER);
        usd.approve(address(flow), type(uint256).max);
    }

    function create(string memory what) internal returns (uint256 id) {
        vm.prank(SENDER);
        id = flow.createAndDeposit(SENDER, RECIPIENT, 0.001e18, uint40(block.timestamp), address(usd), true, 10_000_000);
        note("Sablier Flow", what);
    }

    function test_gas_of_a_stream() public {
        uint256 id = create("createAndDeposit, first use");
        create("createAndDeposit");
        vm.warp(block.timestamp + 1_000);
        vm.prank(SENDER);
        flow.deposit(id, 1_000_000, SENDER, RECIPIENT);
        note("Sablier Flow", "deposit");
        vm.prank(RECIPIENT);
        flow.withdraw(id, RECIPIENT, 500_000);
        note("Sablier Flow", "withdraw, first");
        vm.warp(block.timestamp + 1_000);
        vm.prank(RECIPIENT);
        flow.withdraw(id, RECIPIENT, 500_000);
        note("Sablier Flow", "withdraw");
        vm.prank(SENDER);
        flow.refund(id, 1_000_000);
        note("Sablier Flow", "refund");
        vm.prank(SENDER);
        flow.pause(id);
        note("Sablier Flow", "pause");
    }
}
