// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {PausableEntry} from "./governance/PausableEntry.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "./interfaces/ILeaseEscrow.sol";
import {IOpeningDemands} from "./interfaces/IOpeningDemands.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {CompactSignature} from "./libraries/CompactSignature.sol";
import {JobHash} from "./libraries/JobHash.sol";
import {OperatorScopes} from "./libraries/OperatorScopes.sol";
import {VisibleText} from "./libraries/VisibleText.sol";

/// @title Profiles, devices, and who acts for a provider
contract DeviceRegistry is IDeviceRegistry, PausableEntry, EIP712 {
    bytes32 public constant ENROL_TYPEHASH =
        keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)");
    uint256 public constant MAX_ENDPOINT = 256;
    uint256 public constant MAX_DEVICES = 16;
    uint32 private constant MAX_SIDE = 1 << 20;
    uint32 private constant MAX_K = 65_536;

    IStakeManager public immutable stakeManager;
    address public immutable fraudProofs;
    IOpeningDemands public immutable openingDemands;
    ILeaseEscrow public immutable leaseEscrow;

    uint40 private immutable genesis;
    uint32 private immutable epochLength;
    uint40 private immutable proofWindow;
    uint128 private immutable minStake;
    uint128 private immutable maxStake;
    uint64 private immutable workPerCredit;
    uint32 private immutable maxDeadlineMs;

    /// @inheritdoc IDeviceRegistry
    uint32 public profileCount;

    /// @inheritdoc IDeviceRegistry
    uint40 public deviceCount;

    mapping(uint32 id => Profile) private profiles;
    mapping(bytes32 deviceId => Device) private devices;
    mapping(address provider => mapping(address operator => Operator)) private operators;
    mapping(address provider => address) private payouts;

    /// @inheritdoc IDeviceRegistry
    mapping(uint32 id => bool) public profileClosed;

    /// @inheritdoc IDeviceRegistry
    mapping(address deviceKey => uint64) public enrolNonce;

    /// @param authority who may change what
    /// @param stakeManager_ where devices' stake is reserved
    /// @param oracle whose epochs devices answer for
    /// @param fraudProofs_ convicts devices
    /// @param openingDemands_ where openings are demanded of devices
    /// @param leaseEscrow_ where devices are leased
    /// @param bounds what profiles cannot exceed
    /// @param first profiles to begin with
    constructor(
        address authority,
        IStakeManager stakeManager_,
        IEpochOracle oracle,
        address fraudProofs_,
        IOpeningDemands openingDemands_,
        ILeaseEscrow leaseEscrow_,
        ProfileBounds memory bounds,
        Profile[] memory first
    ) AccessManaged(authority) EIP712("Assay", "1") {
        IEpochOracle.Timing memory t = oracle.timing();
        (genesis, epochLength, proofWindow) = (t.genesis, t.epochLength, t.proofWindow);
        if (bounds.minStake == 0) revert DeviceRegistry_BadBound("minStake", 0, 1);
        if (bounds.maxStake < bounds.minStake) {
            revert DeviceRegistry_BadBound("maxStake", bounds.maxStake, bounds.minStake);
        }
        if (bounds.workPerCredit == 0) revert DeviceRegistry_BadBound("workPerCredit", 0, 1);
        if (bounds.maxDeadlineMs == 0) revert DeviceRegistry_BadBound("maxDeadlineMs", 0, 1);
        (minStake, maxStake) = (bounds.minStake, bounds.maxStake);
        (workPerCredit, maxDeadlineMs) = (bounds.workPerCredit, bounds.maxDeadlineMs);
        stakeManager = stakeManager_;
        fraudProofs = fraudProofs_;
        openingDemands = openingDemands_;
        leaseEscrow = leaseEscrow_;
        for (uint256 i = 0; i < first.length; ++i) _addProfile(first[i]);
    }

    /// @inheritdoc IDeviceRegistry
    function addProfile(Profile calldata p) external restricted returns (uint32 id) {
        return _addProfile(p);
    }

    /// @inheritdoc IDeviceRegistry
    function closeProfile(uint32 id) external restricted {
        _checkProfile(id);
        profileClosed[id] = true;
        profiles[id].credit = 0;
        emit ProfileClosed(id);
    }

    /// @inheritdoc IDeviceRegistry
    function enrol(
        address deviceKey,
        uint32 profileId,
        bytes32 specHash,
        string calldata endpoint,
        bytes32 tlsFingerprint,
        bytes calldata signature
    ) external whenEntryOpen returns (bytes32 deviceId) {
        if (deviceKey == address(0)) revert DeviceRegistry_ZeroKey();
        _checkProfile(profileId);
        deviceId = deviceIdOf(msg.sender, deviceKey);
        Device storage d = devices[deviceId];
        if (d.status != Status.None) revert DeviceRegistry_AlreadyEnrolled(deviceId);
        _checkEnrol(deviceKey, profileId, specHash, signature);
        ++deviceCount;
        d.provider = msg.sender;
        d.status = Status.Active;
        d.enrolledAt = uint40(block.timestamp);
        d.deviceKey = deviceKey;
        d.profile = profileId;
        d.specHash = specHash;
        emit DeviceEnrolled(deviceId, msg.sender, deviceKey, profileId, specHash);
        _announce(deviceId, endpoint, tlsFingerprint);
        stakeManager.reserve(msg.sender, profiles[profileId].stake);
    }

    /// @inheritdoc IDeviceRegistry
    function setEndpoint(bytes32 deviceId, string calldata endpoint, bytes32 tlsFingerprint) external {
        Device storage d = _known(deviceId);
        if (d.provider != msg.sender && !mayAct(d.provider, msg.sender, OperatorScopes.ENDPOINT)) {
            revert DeviceRegistry_NotProvider(deviceId, msg.sender);
        }
        if (d.status != Status.Active) revert DeviceRegistry_NotActive(deviceId, d.status);
        _announce(deviceId, endpoint, tlsFingerprint);
    }

    /// @inheritdoc IDeviceRegistry
    function retire(bytes32 deviceId) external {
        Device storage d = _activeOf(deviceId, msg.sender);
        // The escrow is asked first, which changes nothing: whoever pays for the device can count on its being measured.
        uint256 leaseId = leaseEscrow.activeLease(deviceId);
        if (leaseId != 0) revert DeviceRegistry_Leased(deviceId, leaseId);
        _leaveMarket(deviceId, d, Status.Retired);
    }

    /// @inheritdoc IDeviceRegistry
    function releaseStake(bytes32 deviceId) external {
        Device storage d = _known(deviceId);
        if (d.stakeReleased) revert DeviceRegistry_StakeReleased(deviceId);
        if (d.status != Status.Retired) revert DeviceRegistry_NotActive(deviceId, d.status);
        uint256 releasableAt = releasableFrom(deviceId);
        if (block.timestamp < releasableAt) revert DeviceRegistry_StillProvable(deviceId, releasableAt);
        uint256 open = openingDemands.openDemandsOf(deviceId);
        if (open != 0) revert DeviceRegistry_DemandsOpen(deviceId, open);
        _release(deviceId, d);
    }

    /// @inheritdoc IDeviceRegistry
    function setOperator(address operator, uint8 scopes, uint40 until) external {
        if (operator == address(0) || operator == msg.sender) revert DeviceRegistry_BadOperator(operator);
        if (scopes > OperatorScopes.ALL) revert DeviceRegistry_BadScopes(scopes, OperatorScopes.ALL);
        if (scopes == 0) until = 0;
        else if (until < block.timestamp) revert DeviceRegistry_OperatorExpired(operator, until, block.timestamp);
        operators[msg.sender][operator] = Operator(scopes, until);
        emit OperatorSet(msg.sender, operator, scopes, until);
    }

    /// @inheritdoc IDeviceRegistry
    function setPayout(address payout) external {
        payouts[msg.sender] = payout;
        emit PayoutSet(msg.sender, payout);
    }

    /// @inheritdoc IDeviceRegistry
    function markSlashed(bytes32 deviceId, uint64 epoch) external returns (address provider, uint128 stake) {
        if (msg.sender != fraudProofs) revert DeviceRegistry_NotFraudProofs(msg.sender);
        Device storage d = _known(deviceId);
        if (d.status == Status.Slashed) revert DeviceRegistry_AlreadySlashed(deviceId);
        // Nothing is reserved for it any more: what would be taken backs other devices.
        if (d.stakeReleased) revert DeviceRegistry_StakeReleased(deviceId);
        (uint64 first, uint64 last, ) = liability(deviceId);
        if (epoch < first || epoch > last) revert DeviceRegistry_NotLiable(deviceId, epoch, first, last);
        _leaveMarket(deviceId, d, Status.Slashed);
        provider = d.provider;
        stake = _release(deviceId, d);
        leaseEscrow.deviceSlashed(deviceId);
    }

    /// @inheritdoc IDeviceRegistry
    function checkLeasable(address provider, bytes32[] calldata deviceIds) external view {
        uint256 count = deviceIds.length;
        if (count == 0 || count > MAX_DEVICES) revert DeviceRegistry_DeviceCount(count, MAX_DEVICES);
        bytes32 before; // zero is no device's id
        for (uint256 i = 0; i < count; ++i) {
            bytes32 deviceId = deviceIds[i];
            if (deviceId <= before) revert DeviceRegistry_NotAscending(deviceId, before);
            _activeOf(deviceId, provider);
            before = deviceId;
        }
    }

    /// @inheritdoc IDeviceRegistry
    function device(bytes32 deviceId) external view returns (Device memory) {
        return devices[deviceId];
    }

    /// @inheritdoc IDeviceRegistry
    function profile(uint32 id) external view returns (Profile memory) {
        return profiles[id];
    }

    /// @inheritdoc IDeviceRegistry
    function keyOf(bytes32 deviceId) external view returns (address) {
        return devices[deviceId].deviceKey;
    }

    /// @inheritdoc IDeviceRegistry
    function jobOf(
        bytes32 deviceId,
        bytes32 epochSeed
    )
        external
        view
        returns (Profile memory p, uint32 profileId, address provider, address deviceKey, bytes32 jobHash_)
    {
        Device storage d = devices[deviceId];
        profileId = d.profile;
        if (profileId == 0) return (p, 0, address(0), address(0), 0);
        p = profiles[profileId];
        return (p, profileId, d.provider, d.deviceKey, JobHash.compute(p, profileId, epochSeed));
    }

    /// @inheritdoc IDeviceRegistry
    function profileBounds() external view returns (ProfileBounds memory) {
        return ProfileBounds(minStake, maxStake, workPerCredit, maxDeadlineMs);
    }

    /// @inheritdoc IDeviceRegistry
    function operatorOf(address provider, address operator) external view returns (Operator memory) {
        return operators[provider][operator];
    }

    /// @inheritdoc IDeviceRegistry
    function payoutOf(address provider) external view returns (address payout) {
        payout = payouts[provider];
        if (payout == address(0)) payout = provider;
    }

    /// @inheritdoc IDeviceRegistry
    function mayAct(address provider, address operator, uint8 scopes) public view returns (bool) {
        Operator memory o = operators[provider][operator];
        return scopes != 0 && o.scopes & scopes == scopes && block.timestamp <= o.until;
    }

    /// @inheritdoc IDeviceRegistry
    function liability(bytes32 deviceId) public view returns (uint64 first, uint64 last, Status status) {
        Device storage d = devices[deviceId];
        status = d.status;
        if (status == Status.None) return (0, 0, status);
        first = _epochAt(d.enrolledAt);
        // An epoch that is opened after the retirement finds the device gone: nobody challenges it there.
        last = d.retiredAt == 0 ? type(uint64).max : _epochAt(d.retiredAt);
    }

    /// @inheritdoc IDeviceRegistry
    /// @dev The proof window of the last epoch that the device answers for, and an epoch more.
    function releasableFrom(bytes32 deviceId) public view returns (uint256) {
        uint40 retiredAt = devices[deviceId].retiredAt;
        if (retiredAt == 0) return 0;
        return genesis + (uint256(_epochAt(retiredAt)) + 2) * epochLength + proofWindow;
    }

    /// @inheritdoc IDeviceRegistry
    function deviceIdOf(address provider, address deviceKey) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(provider, deviceKey));
    }

    /// @inheritdoc IDeviceRegistry
    function jobHash(uint32 profileId, bytes32 epochSeed) external view returns (bytes32) {
        _checkKnownProfile(profileId);
        return JobHash.compute(profiles[profileId], profileId, epochSeed);
    }

    /// @dev Spends the key's nonce.
    function _checkEnrol(address deviceKey, uint32 profileId, bytes32 specHash, bytes calldata signature) private {
        uint64 nonce = enrolNonce[deviceKey]++;
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(ENROL_TYPEHASH, msg.sender, profileId, specHash, nonce))
        );
        address recovered = CompactSignature.recover(digest, signature);
        if (recovered != deviceKey) revert DeviceRegistry_BadSignature(deviceKey, recovered);
    }

    /// @dev Reverts unless devices may be enrolled at the profile.
    function _checkProfile(uint32 id) private view {
        _checkKnownProfile(id);
        if (profileClosed[id]) revert DeviceRegistry_ProfileClosed(id);
    }

    function _checkKnownProfile(uint32 id) private view {
        if (id == 0 || id > profileCount) revert DeviceRegistry_UnknownProfile(id);
    }

    function _known(bytes32 deviceId) private view returns (Device storage d) {
        d = devices[deviceId];
        if (d.status == Status.None) revert DeviceRegistry_UnknownDevice(deviceId);
    }

    function _activeOf(bytes32 deviceId, address provider) private view returns (Device storage d) {
        d = _known(deviceId);
        if (d.provider != provider) revert DeviceRegistry_NotProvider(deviceId, provider);
        if (d.status != Status.Active) revert DeviceRegistry_NotActive(deviceId, d.status);
    }

    /// @dev Times before genesis count as epoch 0.
    function _epochAt(uint40 timestamp) private view returns (uint64) {
        return timestamp < genesis ? 0 : (timestamp - genesis) / epochLength;
    }

    /// @dev A device that was retired keeps the time of that when it is slashed.
    function _leaveMarket(bytes32 deviceId, Device storage d, Status status) private {
        d.status = status;
        if (d.retiredAt == 0) d.retiredAt = uint40(block.timestamp);
        emit DeviceRetired(deviceId, status);
    }

    function _announce(bytes32 deviceId, string calldata endpoint, bytes32 tlsFingerprint) private {
        if (bytes(endpoint).length > MAX_ENDPOINT) {
            revert DeviceRegistry_EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT);
        }
        if (!VisibleText.isVisible(endpoint)) revert DeviceRegistry_EndpointNotVisible();
        emit DeviceEndpoint(deviceId, endpoint, tlsFingerprint);
    }

    function _release(bytes32 deviceId, Device storage d) private returns (uint128 amount) {
        amount = profiles[d.profile].stake;
        d.stakeReleased = true;
        emit DeviceStakeReleased(deviceId, amount);
        stakeManager.release(d.provider, amount);
    }

    function _addProfile(Profile memory p) private returns (uint32 id) {
        if (!_powerOfTwo(p.M) || p.M > MAX_SIDE) revert DeviceRegistry_BadProfile("M", p.M);
        if (!_powerOfTwo(p.N) || p.N > MAX_SIDE) revert DeviceRegistry_BadProfile("N", p.N);
        if (p.K == 0 || p.K % 64 != 0 || p.K > MAX_K) revert DeviceRegistry_BadProfile("K", p.K);
        if (p.T == 0) revert DeviceRegistry_BadProfile("T", p.T);
        if (!_powerOfTwo(p.chunk) || p.chunk < 32 || p.chunk > p.N) revert DeviceRegistry_BadProfile("chunk", p.chunk);
        if (p.k == 0) revert DeviceRegistry_BadProfile("k", p.k);
        if (p.W > p.T) revert DeviceRegistry_BadProfile("W", p.W);
        if (p.deadlineMs == 0 || p.deadlineMs > maxDeadlineMs) {
            revert DeviceRegistry_BadProfile("deadlineMs", p.deadlineMs);
        }
        uint256 work = uint256(p.M) * p.N * p.K * p.T;
        if (uint256(p.credit) * workPerCredit > work) revert DeviceRegistry_BadProfile("credit", p.credit);
        if (p.stake < minStake || p.stake > maxStake) revert DeviceRegistry_BadProfile("stake", p.stake);
        id = ++profileCount;
        profiles[id] = p;
        emit ProfileAdded(id, p);
    }

    function _powerOfTwo(uint32 value) private pure returns (bool) {
        return value != 0 && value & (value - 1) == 0;
    }
}
