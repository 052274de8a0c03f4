// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Profiles and devices
/// @notice A profile fixes the work a device must do; a device is a key that a provider has staked for.
interface IDeviceRegistry {
    enum Status {
        None,
        Active,
        Retired,
        Slashed
    }

    /// @dev Immutable once added; a new value is a new id. Shape rules: M, N powers of two; K a multiple of 64, at
    /// most 65,536; chunk a power of two dividing N, at least 32; W <= T; k > 0.
    struct Profile {
        uint32 M; // rows a round
        uint32 N; // columns
        uint32 K; // inner length
        uint32 T; // rounds
        uint32 chunk; // int32 entries in a Merkle leaf
        uint32 k; // rows sampled
        uint32 W; // rounds kept for the memory probe
        uint32 deadlineMs; // later than this is flagged late
        uint32 credit; // weight in the emission
        uint32 maxGops; // cap of the score, giga-operations a second
        uint128 stake; // reserved from the provider for each device
    }

    struct Device {
        address provider;
        address deviceKey;
        uint32 profile;
        Status status;
        uint40 enrolledAt;
        uint40 retiredAt;
        bool stakeReleased;
        bytes32 specHash;
    }

    event ProfileAdded(uint32 indexed id, Profile profile);
    event DeviceEnrolled(
        bytes32 indexed deviceId,
        address indexed provider,
        address deviceKey,
        uint32 profile,
        bytes32 specHash
    );
    event DeviceEndpoint(bytes32 indexed deviceId, string endpoint, bytes32 tlsFingerprint);
    event DeviceRetired(bytes32 indexed deviceId, Status status);
    event DeviceStakeReleased(bytes32 indexed deviceId, uint128 amount);

    error DeviceRegistry_BadProfile(string what, uint256 value);
    error DeviceRegistry_UnknownProfile(uint32 id);
    error DeviceRegistry_UnknownDevice(bytes32 deviceId);
    error DeviceRegistry_AlreadyEnrolled(bytes32 deviceId);
    error DeviceRegistry_BadSignature(address deviceKey, address recovered);
    error DeviceRegistry_NotProvider(bytes32 deviceId, address caller);
    error DeviceRegistry_NotActive(bytes32 deviceId, Status status);
    error DeviceRegistry_StillProvable(bytes32 deviceId, uint256 releasableAt);
    error DeviceRegistry_StakeReleased(bytes32 deviceId);
    error DeviceRegistry_NotFraudProofs(address caller);
    error DeviceRegistry_EndpointTooLong(uint256 length, uint256 limit);
    error DeviceRegistry_ZeroKey();

    /// @notice Adds a profile; governance only. Ids count from 1.
    function addProfile(Profile calldata p) external returns (uint32 id);

    /// @notice Enrols a device of the caller. `signature` is the device key's over
    /// `Enrol(provider, profile, specHash, nonce)` with the key's own nonce.
    function enrol(
        address deviceKey,
        uint32 profileId,
        bytes32 specHash,
        string calldata endpoint,
        bytes32 tlsFingerprint,
        bytes calldata signature
    ) external returns (bytes32 deviceId);

    /// @notice Announces where the device is reached. Provider only.
    function setEndpoint(bytes32 deviceId, string calldata endpoint, bytes32 tlsFingerprint) external;

    /// @notice Takes a device off the market. Its stake is freed after the proof window.
    function retire(bytes32 deviceId) external;

    /// @notice Releases the stake of a retired device once it can no longer be proven against. Anyone may call.
    function releaseStake(bytes32 deviceId) external;

    /// @notice Retires a device that a proof has convicted; who pays, and how much at most. Callable by FraudProofs.
    function markSlashed(bytes32 deviceId) external returns (address provider, uint128 stake);

    /// @notice The zero device for an unknown id.
    function device(bytes32 deviceId) external view returns (Device memory);

    /// @notice The zero profile for an unknown id.
    function profile(uint32 id) external view returns (Profile memory);

    /// @notice Provider of an active device; zero for any other.
    function activeProvider(bytes32 deviceId) external view returns (address);

    /// @notice Provider of an active device, zero for any other, and the device's number, zero for an unknown id.
    function offered(bytes32 deviceId) external view returns (address provider, uint40 number);

    /// @notice The device with this number, in order of enrolment from 1, and whether it is active; zeros for none.
    function deviceNumbered(uint256 number) external view returns (bytes32 deviceId, bool active);

    function deviceCount() external view returns (uint40);

    function profileCount() external view returns (uint32);

    /// @notice Key that signs for a device; zero for an unknown id.
    function keyOf(bytes32 deviceId) external view returns (address deviceKey);

    /// @notice What a device has to compute under an epoch's seed, who pays, and the key that signs. Zeros for an unknown id.
    function jobOf(
        bytes32 deviceId,
        bytes32 epochSeed
    ) external view returns (Profile memory p, uint32 profileId, address provider, address deviceKey, bytes32 jobHash_);

    function enrolNonce(address deviceKey) external view returns (uint64);

    /// @notice keccak256(provider ‖ deviceKey), 40 bytes.
    function deviceIdOf(address provider, address deviceKey) external pure returns (bytes32);

    /// @notice keccak256(epochSeed ‖ abi.encode(profileId, M, N, K, T, chunk, k, W)).
    function jobHash(uint32 profileId, bytes32 epochSeed) external view returns (bytes32);
}
