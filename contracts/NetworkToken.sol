// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IEmission} from "./interfaces/IEmission.sol";
import {INetworkToken} from "./interfaces/INetworkToken.sol";
import {EmissionCurve} from "./libraries/EmissionCurve.sol";

/// @title The token of the network
/// @notice Staked, burned by slashes, and minted by one distributor of rewards after another.
/// @dev Minters have epochs of their own, one after the other, so that their limits together never pass the emission of all
/// epochs, which with the genesis allocations never passes the cap. Nothing else need be counted when something is minted.
contract NetworkToken is INetworkToken, ERC20Burnable, ERC20Permit, AccessManaged {
    /// @dev A minter, present or past, in one slot.
    struct Minter {
        uint96 minted;
        uint64 firstEpoch;
        uint64 lastEpoch; // the largest number for the present one
        bool appointed;
        bool settled;
    }

    uint256 public immutable cap;

    uint40 private immutable genesis;
    uint32 private immutable epochLength;
    uint128 private immutable initialEmission;
    uint32 private immutable eraEpochs;
    uint256 private immutable mintedAtGenesis;

    address[] private appointed; // the present minter is the last
    mapping(address account => Minter) private minters;
    mapping(address account => uint256) private settledLimits;

    constructor(
        string memory name,
        string memory symbol,
        uint256 cap_,
        address authority,
        address firstMinter,
        Schedule memory s,
        Allocation[] memory allocations
    ) ERC20(name, symbol) ERC20Permit(name) AccessManaged(authority) {
        if (firstMinter == address(0)) revert NetworkToken_ZeroAddress();
        if (cap_ > type(uint96).max) revert NetworkToken_BadBound("cap", cap_, type(uint96).max);
        if (s.epochLength == 0) revert NetworkToken_BadBound("epochLength", 0, 1);
        if (s.eraEpochs == 0) revert NetworkToken_BadBound("eraEpochs", 0, 1);
        cap = cap_;
        genesis = s.genesis;
        epochLength = s.epochLength;
        initialEmission = s.initialEmission;
        eraEpochs = s.eraEpochs;
        for (uint256 i = 0; i < allocations.length; ++i) _mint(allocations[i].account, allocations[i].amount);
        uint256 sum = totalSupply();
        if (sum > cap_) revert NetworkToken_BadBound("allocations", sum, cap_);
        uint256 emission = EmissionCurve.total(s.initialEmission, s.eraEpochs);
        if (emission > cap_ - sum) revert NetworkToken_BadBound("initialEmission", emission, cap_ - sum);
        mintedAtGenesis = sum;
        _appoint(firstMinter, 0);
    }

    /// @inheritdoc INetworkToken
    function mint(address to, uint256 amount) external {
        Minter memory m = minters[msg.sender];
        if (!m.appointed) revert NetworkToken_NotMinter(msg.sender);
        uint256 sum = Math.saturatingAdd(m.minted, amount);
        uint256 limit = m.settled ? settledLimits[msg.sender] : _emissionOf(m);
        if (sum > limit) revert NetworkToken_BeyondLimit(msg.sender, sum, limit);
        minters[msg.sender].minted = uint96(sum); // limits are within the cap, which fits
        _mint(to, amount);
    }

    /// @inheritdoc INetworkToken
    function handOver(address next, uint64 lastEpoch) external restricted {
        if (next == address(0)) revert NetworkToken_ZeroAddress();
        if (next.code.length == 0) revert NetworkToken_NoContract(next);
        if (minters[next].appointed) revert NetworkToken_MinterBefore(next);
        address previous = minter();
        Minter storage m = minters[previous];
        // A minter that has not begun can be replaced before it does.
        uint64 earliest = _currentEpoch();
        if (m.firstEpoch > earliest + 1) earliest = m.firstEpoch - 1;
        uint64 latest = EmissionCurve.lastEpoch(eraEpochs);
        if (lastEpoch < earliest || lastEpoch > latest) {
            revert NetworkToken_LastEpochOutOfRange(lastEpoch, earliest, latest);
        }
        m.lastEpoch = lastEpoch;
        _appoint(next, lastEpoch + 1);
        emit MinterHandedOver(previous, next, lastEpoch);
        IEmission(previous).endEmission(lastEpoch);
        IEmission(next).beginEmission(lastEpoch + 1);
    }

    /// @inheritdoc INetworkToken
    function settleHandover(address past) external {
        Minter storage m = minters[past];
        if (!m.appointed || m.settled || m.lastEpoch == type(uint64).max) revert NetworkToken_NothingToSettle(past);
        (uint256 total, bool isFinal) = IEmission(past).finalTotal();
        if (!isFinal || _currentEpoch() <= m.lastEpoch) revert NetworkToken_NotFinal(past);
        uint256 limit = Math.min(total, _emissionOf(m));
        m.settled = true;
        settledLimits[past] = limit;
        emit HandoverSettled(past, limit, m.minted);
    }

    /// @inheritdoc INetworkToken
    function minter() public view returns (address) {
        return appointed[appointed.length - 1];
    }

    /// @inheritdoc INetworkToken
    function minted() external view returns (uint256 sum) {
        sum = mintedAtGenesis;
        for (uint256 i = 0; i < appointed.length; ++i) sum += minters[appointed[i]].minted;
    }

    /// @inheritdoc INetworkToken
    function mintedBy(address account) external view returns (uint256) {
        return minters[account].minted;
    }

    /// @inheritdoc INetworkToken
    function limitOf(address account) external view returns (uint256) {
        Minter memory m = minters[account];
        if (!m.appointed) return 0;
        return m.settled ? settledLimits[account] : _emissionOf(m);
    }

    /// @inheritdoc INetworkToken
    function epochsOf(address account) external view returns (uint64 first, uint64 last, bool settled) {
        Minter storage m = minters[account];
        return (m.firstEpoch, m.lastEpoch, m.settled);
    }

    /// @inheritdoc INetworkToken
    function schedule() external view returns (Schedule memory) {
        return Schedule(genesis, epochLength, initialEmission, eraEpochs);
    }

    /// @inheritdoc INetworkToken
    function emissionAt(uint64 epoch) external view returns (uint256) {
        return EmissionCurve.at(initialEmission, eraEpochs, epoch);
    }

    function _appoint(address account, uint64 firstEpoch) private {
        minters[account] = Minter(0, firstEpoch, type(uint64).max, true, false);
        appointed.push(account);
    }

    /// @dev Emission of the minter's epochs that have begun, by the token's own clock.
    function _emissionOf(Minter memory m) private view returns (uint256) {
        if (block.timestamp < genesis) return 0;
        uint256 end = Math.min(_currentEpoch(), m.lastEpoch);
        uint256 first = m.firstEpoch;
        if (end < first) return 0;
        uint256 sum = EmissionCurve.upTo(initialEmission, eraEpochs, end);
        return first == 0 ? sum : sum - EmissionCurve.upTo(initialEmission, eraEpochs, first - 1);
    }

    function _currentEpoch() private view returns (uint64) {
        return block.timestamp < genesis ? 0 : uint64((block.timestamp - genesis) / epochLength);
    }
}
