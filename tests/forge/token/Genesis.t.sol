// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";

import {Token} from "../base/Extras.sol";
import {Minters} from "./Minters.sol";

contract GenesisTest is Minters {
    function refused(
        uint256 cap,
        INetworkToken.Schedule memory s,
        uint256 allocated,
        string memory what,
        uint256 value,
        uint256 bound
    ) internal {
        vm.expectRevert(
            abi.encodeWithSelector(INetworkToken.NetworkToken_BadBound.selector, what, value, bound)
        );
        deployToken(cap, address(first), s, allocation(allocated));
    }

    function allocation(uint256 amount) internal view returns (INetworkToken.Allocation[] memory list) {
        list = new INetworkToken.Allocation[](2);
        list[0] = INetworkToken.Allocation(address(this), amount / 3);
        list[1] = INetworkToken.Allocation(address(0xa11), amount - amount / 3);
    }

    /// @dev Emission of all eras, summed one by one.
    function wholeEmission() internal pure returns (uint256 sum) {
        for (uint256 era = 0; era < 64; ++era) sum += (uint256(INITIAL) >> era) * ERA;
    }

    function test_constructor__allocations__minted_and_counted() public {
        INetworkToken token_ = deployToken(1e27, address(first), schedule(), allocation(90));
        eq(token_.minted(), 90, "minted");
        eq(Token(address(token_)).balanceOf(address(this)), 30, "the first");
        eq(Token(address(token_)).balanceOf(address(0xa11)), 60, "the second");
        eq(token_.cap(), 1e27, "cap");
        eq(token_.minter(), address(first), "minter");
        eq(keccak256(abi.encode(token_.schedule())), keccak256(abi.encode(schedule())), "schedule");
        (uint64 from, uint64 last, bool settled) = token_.epochsOf(address(first));
        isTrue(from == 0 && last == type(uint64).max && !settled, "all epochs are the first minter's");
    }

    function test_constructor__allocations_and_emission__just_within_the_cap() public {
        uint256 whole = wholeEmission();
        deployToken(whole + 90, address(first), schedule(), allocation(90));
        refused(whole + 89, schedule(), 90, "initialEmission", whole, whole - 1);
    }

    function test_constructor__allocations_beyond_the_cap__refused() public {
        refused(89, schedule(), 90, "allocations", 90, 89);
    }

    function test_constructor__cap_that_does_not_fit__refused() public {
        refused(uint256(type(uint96).max) + 1, schedule(), 0, "cap", uint256(type(uint96).max) + 1, type(uint96).max);
        deployToken(type(uint96).max, address(first), schedule(), allocation(0));
    }

    function test_constructor__no_minter__refused() public {
        vm.expectRevert(abi.encodeWithSelector(INetworkToken.NetworkToken_ZeroAddress.selector));
        deployToken(1e27, address(0), schedule(), allocation(0));
    }

    function test_constructor__epochs_or_eras_of_nothing__refused() public {
        INetworkToken.Schedule memory s = schedule();
        s.epochLength = 0;
        refused(1e27, s, 0, "epochLength", 0, 1);
        s = schedule();
        s.eraEpochs = 0;
        refused(1e27, s, 0, "eraEpochs", 0, 1);
    }

    function test_emission_at__era_after_era__halves_and_ends() public view {
        eq(minted.emissionAt(0), INITIAL, "first");
        eq(minted.emissionAt(3), INITIAL, "last of the first era");
        eq(minted.emissionAt(4), INITIAL / 2, "second era");
        eq(minted.emissionAt(63 * 4), uint256(INITIAL) >> 63, "last era");
        eq(minted.emissionAt(64 * 4), 0, "no more");
        eq(minted.emissionAt(type(uint64).max), 0, "ever");
    }
}
