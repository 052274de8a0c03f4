// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {PausableEntry} from "./governance/PausableEntry.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {CompactSignature} from "./libraries/CompactSignature.sol";
import {JobHash} from "./libraries/JobHash.sol";

/// @title Profiles and devices
contract DeviceRegistry is IDeviceRegistry, PausableEntry, EIP712 {
    bytes32 public constant ENROL_TYPEHASH =
        keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)");
    uint256 public constant MAX_ENDPOINT = 256;
    uint32 private constant MAX_SIDE = 1 << 20;
    uint32 private constant MAX_K = 65_536;

    /// @dev Device as stored.
    struct Row {
        address provider; // slot 0
        Status status;
        uint40 number;
        uint40 enrolledAt;
        address deviceKey; // slot 1
        uint32 profile;
        uint40 retiredAt;
        bool stakeReleased;
        bytes32 specHash; // slot 2
    }

    IStakeManager public immutable stakeManager;
    IEpochOracle public immutable oracle;
    address public immutable fraudProofs;

    uint32 public profileCount;
    uint40 public deviceCount;
    mapping(uint32 id => Profile) private profiles;
    mapping(bytes32 deviceId => Row) private devices;
    mapping(uint256 number => bytes32) private numbered;
    mapping(address deviceKey => uint64) public enrolNonce;

    constructor(
        address authority,
        IStakeManager stakeManager_,
        IEpochOracle oracle_,
        address fraudProofs_,
        Profile[] memory first
    ) AccessManaged(authority) EIP712("Assay", "1") {
        stakeManager = stakeManager_;
        oracle = oracle_;
        fraudProofs = fraudProofs_;
        for (uint256 i = 0; i < first.length; ++i) _addProfile(first[i]);
    }

    /// @inheritdoc IDeviceRegistry
    function addProfile(Profile calldata p) external restricted returns (uint32 id) {
        return _addProfile(p);
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
        if (profileId == 0 || profileId > profileCount) revert DeviceRegistry_UnknownProfile(profileId);
        deviceId = deviceIdOf(msg.sender, deviceKey);
        Row storage d = devices[deviceId];
        if (d.status != Status.None) revert DeviceRegistry_AlreadyEnrolled(deviceId);
        _checkEnrol(deviceKey, profileId, specHash, signature);
        uint40 number = ++deviceCount;
        numbered[number] = deviceId;
        d.provider = msg.sender;
        d.status = Status.Active;
        d.number = number;
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
        _activeOf(deviceId, msg.sender);
        _announce(deviceId, endpoint, tlsFingerprint);
    }

    /// @inheritdoc IDeviceRegistry
    function retire(bytes32 deviceId) external {
        Row storage d = _activeOf(deviceId, msg.sender);
        d.status = Status.Retired;
        d.retiredAt = uint40(block.timestamp);
        emit DeviceRetired(deviceId, Status.Retired);
    }

    /// @inheritdoc IDeviceRegistry
    function releaseStake(bytes32 deviceId) external {
        Row storage d = devices[deviceId];
        if (d.status == Status.None) revert DeviceRegistry_UnknownDevice(deviceId);
        if (d.stakeReleased) revert DeviceRegistry_StakeReleased(deviceId);
        if (d.status != Status.Retired) revert DeviceRegistry_NotActive(deviceId, d.status);
        uint256 releasableAt = releasableFrom(deviceId);
        if (block.timestamp < releasableAt) revert DeviceRegistry_StillProvable(deviceId, releasableAt);
        _release(deviceId, d);
    }

    /// @inheritdoc IDeviceRegistry
    function markSlashed(bytes32 deviceId) external returns (address provider, uint128 stake) {
        if (msg.sender != fraudProofs) revert DeviceRegistry_NotFraudProofs(msg.sender);
        Row storage d = devices[deviceId];
        if (d.status == Status.None) revert DeviceRegistry_UnknownDevice(deviceId);
        if (d.status != Status.Slashed) {
            d.status = Status.Slashed;
            if (d.retiredAt == 0) d.retiredAt = uint40(block.timestamp);
            emit DeviceRetired(deviceId, Status.Slashed);
        }
        if (!d.stakeReleased) _release(deviceId, d);
        return (d.provider, profiles[d.profile].stake);
    }

    /// @inheritdoc IDeviceRegistry
    function device(bytes32 deviceId) external view returns (Device memory) {
        Row storage d = devices[deviceId];
        return
            Device({
                provider: d.provider,
                deviceKey: d.deviceKey,
                profile: d.profile,
                status: d.status,
                enrolledAt: d.enrolledAt,
                retiredAt: d.retiredAt,
                stakeReleased: d.stakeReleased,
                specHash: d.specHash
            });
    }

    /// @inheritdoc IDeviceRegistry
    function activeProvider(bytes32 deviceId) external view returns (address) {
        Row storage d = devices[deviceId];
        return d.status == Status.Active ? d.provider : address(0);
    }

    /// @inheritdoc IDeviceRegistry
    function offered(bytes32 deviceId) external view returns (address provider, uint40 number) {
        Row storage d = devices[deviceId];
        return (d.status == Status.Active ? d.provider : address(0), d.number);
    }

    /// @inheritdoc IDeviceRegistry
    function deviceNumbered(uint256 number) external view returns (bytes32 deviceId, bool active) {
        deviceId = numbered[number];
        active = devices[deviceId].status == Status.Active;
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
        Row storage d = devices[deviceId];
        profileId = d.profile;
        if (profileId == 0) return (p, 0, address(0), address(0), 0);
        p = profiles[profileId];
        return (p, profileId, d.provider, d.deviceKey, JobHash.compute(p, profileId, epochSeed));
    }

    /// @notice When the stake of a retired device comes free; zero for one that is not retired.
    /// @dev The last epoch that could seal the device is the one after its retirement, seen late by a validator.
    function releasableFrom(bytes32 deviceId) public view returns (uint256) {
        uint40 retiredAt = devices[deviceId].retiredAt;
        if (retiredAt == 0) return 0;
        IEpochOracle.Timing memory t = oracle.timing();
        uint256 epoch = retiredAt < t.genesis ? 0 : (retiredAt - t.genesis) / t.epochLength;
        return t.genesis + (epoch + 2) * t.epochLength + t.proofWindow;
    }

    /// @inheritdoc IDeviceRegistry
    function deviceIdOf(address provider, address deviceKey) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(provider, deviceKey));
    }

    /// @inheritdoc IDeviceRegistry
    function jobHash(uint32 profileId, bytes32 epochSeed) external view returns (bytes32) {
        if (profileId == 0 || profileId > profileCount) revert DeviceRegistry_UnknownProfile(profileId);
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

    function _activeOf(bytes32 deviceId, address caller) private view returns (Row storage d) {
        d = devices[deviceId];
        if (d.status == Status.None) revert DeviceRegistry_UnknownDevice(deviceId);
        if (d.provider != caller) revert DeviceRegistry_NotProvider(deviceId, caller);
        if (d.status != Status.Active) revert DeviceRegistry_NotActive(deviceId, d.status);
    }

    function _announce(bytes32 deviceId, string calldata endpoint, bytes32 tlsFingerprint) private {
        if (bytes(endpoint).length > MAX_ENDPOINT) {
            revert DeviceRegistry_EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT);
        }
        emit DeviceEndpoint(deviceId, endpoint, tlsFingerprint);
    }

    function _release(bytes32 deviceId, Row storage d) private {
        uint128 amount = profiles[d.profile].stake;
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
        if (p.deadlineMs == 0) revert DeviceRegistry_BadProfile("deadlineMs", p.deadlineMs);
        if (p.stake == 0) revert DeviceRegistry_BadProfile("stake", p.stake);
        id = ++profileCount;
        profiles[id] = p;
        emit ProfileAdded(id, p);
    }

    function _powerOfTwo(uint32 value) private pure returns (bool) {
        return value != 0 && value & (value - 1) == 0;
    }
}
