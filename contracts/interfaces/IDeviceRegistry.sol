// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Profiles, devices, and who acts for a provider
/// @notice A profile fixes the work a device must do; a device is a key that a provider has staked for; an operator is a key
/// that a provider lets do named things, so that its own can stay offline.
interface IDeviceRegistry {
    /// @notice None: never enrolled. Retired and Slashed are for ever.
    enum Status {
        None,
        Active,
        Retired,
        Slashed
    }

    /// @notice Never changes once added, but that closing sets `credit` to zero; a new value is a new id. Shape rules: M, N
    /// powers of two, at most 2^20; K a multiple of 64, at most 65,536; chunk a power of two dividing N, at least 32; W <= T;
    /// T, k > 0. Bounds on credit, stake and deadline: `ProfileBounds`.
    /// @param M rows a round
    /// @param N columns
    /// @param K inner length
    /// @param T rounds
    /// @param chunk int32 entries in a Merkle leaf
    /// @param k rows sampled
    /// @param W rounds kept for the memory probe
    /// @param deadlineMs later than this is flagged late
    /// @param credit weight in the emission
    /// @param maxGops cap of the score, giga-operations a second
    /// @param stake reserved from the provider for each device
    struct Profile {
        uint32 M; // slot 0
        uint32 N;
        uint32 K;
        uint32 T;
        uint32 chunk;
        uint32 k;
        uint32 W;
        uint32 deadlineMs;
        uint32 credit; // slot 1
        uint32 maxGops;
        uint128 stake;
    }

    /// @notice What governance cannot exceed when it adds a profile. Fixed when the contract is made.
    /// @param minStake least stake of a device, in the token's base units
    /// @param maxStake most stake of a device
    /// @param workPerCredit credit * workPerCredit <= M * N * K * T
    /// @param maxDeadlineMs latest deadline, in milliseconds
    struct ProfileBounds {
        uint128 minStake; // slot 0
        uint128 maxStake;
        uint64 workPerCredit; // slot 1
        uint32 maxDeadlineMs;
    }

    /// @notice A device, for ever.
    /// @param provider who staked for it
    /// @param status where it stands
    /// @param enrolledAt second in which it was enrolled
    /// @param retiredAt when it was retired or slashed; zero before
    /// @param deviceKey key that signs what it commits to
    /// @param profile id of the profile it works for
    /// @param stakeReleased whether its stake is free again
    /// @param specHash hash of what its provider says of it
    struct Device {
        address provider; // slot 0
        Status status;
        uint40 enrolledAt;
        uint40 retiredAt;
        address deviceKey; // slot 1
        uint32 profile;
        bool stakeReleased;
        bytes32 specHash; // slot 2
    }

    /// @notice What an operator may do for a provider, and until when.
    /// @param scopes bits of OperatorScopes
    /// @param until the last second
    struct Operator {
        uint8 scopes;
        uint40 until;
    }

    /// @notice A profile was added.
    /// @param id of the profile, from 1
    /// @param profile what it is
    event ProfileAdded(uint32 indexed id, Profile profile);

    /// @notice A profile was closed: no more enrolment, no more emission.
    /// @param id of the profile
    event ProfileClosed(uint32 indexed id);

    /// @notice A device was enrolled.
    /// @param deviceId keccak256(provider ‖ deviceKey)
    /// @param provider who staked for it
    /// @param deviceKey that signs for it
    /// @param profile it works at
    /// @param specHash of its published specification
    event DeviceEnrolled(
        bytes32 indexed deviceId,
        address indexed provider,
        address deviceKey,
        uint32 profile,
        bytes32 specHash
    );

    /// @notice Where a device is reached.
    /// @param deviceId the device
    /// @param endpoint as announced; anybody's text, not checked
    /// @param tlsFingerprint of the certificate it shows
    event DeviceEndpoint(bytes32 indexed deviceId, string endpoint, bytes32 tlsFingerprint);

    /// @notice A device left the market.
    /// @param deviceId the device
    /// @param status Retired or Slashed
    event DeviceRetired(bytes32 indexed deviceId, Status status);

    /// @notice What was reserved for a device is free again, or was slashed.
    /// @param deviceId the device
    /// @param amount in the token's base units
    event DeviceStakeReleased(bytes32 indexed deviceId, uint128 amount);

    /// @notice A provider appointed, changed or revoked an operator.
    /// @param provider whose operator it is
    /// @param operator the key
    /// @param scopes bits of OperatorScopes; zero revokes
    /// @param until the last second; zero where revoked
    event OperatorSet(address indexed provider, address indexed operator, uint8 scopes, uint40 until);

    /// @notice A provider named where what its operators claim is paid to.
    /// @param provider whose payout it is
    /// @param payout the address; zero stands for the provider itself
    event PayoutSet(address indexed provider, address indexed payout);

    /// @notice A profile outside the rules or the bounds.
    /// @param what which of its fields
    /// @param value that it has
    error DeviceRegistry_BadProfile(string what, uint256 value);

    /// @notice Bounds that contradict each other.
    /// @param what which one
    /// @param value that it has
    /// @param bound that it breaks
    error DeviceRegistry_BadBound(string what, uint256 value, uint256 bound);

    /// @notice No profile of this id.
    /// @param id that was named
    error DeviceRegistry_UnknownProfile(uint32 id);

    /// @notice The profile takes no more devices.
    /// @param id that was named
    error DeviceRegistry_ProfileClosed(uint32 id);

    /// @notice No device of this id.
    /// @param deviceId that was named
    error DeviceRegistry_UnknownDevice(bytes32 deviceId);

    /// @notice This provider has enrolled this key before; a device is enrolled once for ever.
    /// @param deviceId of the two
    error DeviceRegistry_AlreadyEnrolled(bytes32 deviceId);

    /// @notice The enrolment is not signed by the device key.
    /// @param deviceKey that should have signed
    /// @param recovered who did; zero for nobody
    error DeviceRegistry_BadSignature(address deviceKey, address recovered);

    /// @notice The device is another provider's.
    /// @param deviceId the device
    /// @param account who called, or whose it was taken for
    error DeviceRegistry_NotProvider(bytes32 deviceId, address account);

    /// @notice The device is not in the state that this needs.
    /// @param deviceId the device
    /// @param status that it has
    error DeviceRegistry_NotActive(bytes32 deviceId, Status status);

    /// @notice The device is leased: its renter pays for it and it stays measured until the lease is over.
    /// @param deviceId the device
    /// @param leaseId of the lease
    error DeviceRegistry_Leased(bytes32 deviceId, uint256 leaseId);

    /// @notice A fault of the device could still be proven.
    /// @param deviceId the device
    /// @param releasableAt when that is over
    error DeviceRegistry_StillProvable(bytes32 deviceId, uint256 releasableAt);

    /// @notice Demands are open against the device.
    /// @param deviceId the device
    /// @param openDemands how many
    error DeviceRegistry_DemandsOpen(bytes32 deviceId, uint256 openDemands);

    /// @notice The device has nothing reserved any more.
    /// @param deviceId the device
    error DeviceRegistry_StakeReleased(bytes32 deviceId);

    /// @notice The device does not answer for this epoch.
    /// @param deviceId the device
    /// @param epoch of the fault
    /// @param first epoch it answers for
    /// @param last epoch it answers for
    error DeviceRegistry_NotLiable(bytes32 deviceId, uint64 epoch, uint64 first, uint64 last);

    /// @notice The device has paid all that it had at stake.
    /// @param deviceId the device
    error DeviceRegistry_AlreadySlashed(bytes32 deviceId);

    /// @notice Only FraudProofs marks devices as slashed.
    /// @param caller who called
    error DeviceRegistry_NotFraudProofs(address caller);

    /// @notice An endpoint of too many bytes.
    /// @param length in bytes
    /// @param limit the most there can be
    error DeviceRegistry_EndpointTooLong(uint256 length, uint256 limit);

    /// @notice An endpoint with a byte outside 0x21 to 0x7e: no reader could be sure to read it.
    error DeviceRegistry_EndpointNotVisible();

    /// @notice A zero device key.
    error DeviceRegistry_ZeroKey();

    /// @notice An operator that cannot be one: zero, or the provider itself.
    /// @param operator that was named
    error DeviceRegistry_BadOperator(address operator);

    /// @notice Scopes that do not exist.
    /// @param scopes that were named
    /// @param all that exist
    error DeviceRegistry_BadScopes(uint8 scopes, uint8 all);

    /// @notice An appointment that would be over when it is made.
    /// @param operator that was named
    /// @param until the last second
    /// @param timestamp now
    error DeviceRegistry_OperatorExpired(address operator, uint40 until, uint256 timestamp);

    /// @notice No devices, or too many at once.
    /// @param count of them
    /// @param limit the most there can be
    error DeviceRegistry_DeviceCount(uint256 count, uint256 limit);

    /// @notice A list of devices that does not strictly ascend: unsorted, or one named twice.
    /// @param deviceId the first that is not above the one before it
    /// @param before the one before it
    error DeviceRegistry_NotAscending(bytes32 deviceId, bytes32 before);

    /// @notice Adds a profile. Governance only.
    /// @param p what it is
    /// @return id of the profile, from 1
    function addProfile(Profile calldata p) external returns (uint32 id);

    /// @notice Closes a profile to enrolment and sets its credit to zero. Governance only. Its devices stay as they are.
    /// @param id of the profile
    function closeProfile(uint32 id) external;

    /// @notice Enrols a device of the caller, and reserves its profile's stake.
    /// @param deviceKey that will sign for it
    /// @param profileId it works at
    /// @param specHash of its published specification
    /// @param endpoint where it is reached
    /// @param tlsFingerprint of the certificate it shows
    /// @param signature the device key's over `Enrol(provider, profile, specHash, nonce)`, with the key's own nonce
    /// @return deviceId keccak256(provider ‖ deviceKey)
    function enrol(
        address deviceKey,
        uint32 profileId,
        bytes32 specHash,
        string calldata endpoint,
        bytes32 tlsFingerprint,
        bytes calldata signature
    ) external returns (bytes32 deviceId);

    /// @notice Announces where the device is reached. Its provider, or an operator with that scope.
    /// @param deviceId the device
    /// @param endpoint where it is reached
    /// @param tlsFingerprint of the certificate it shows
    function setEndpoint(bytes32 deviceId, string calldata endpoint, bytes32 tlsFingerprint) external;

    /// @notice Takes a device of the caller off the market for ever; not while it is leased. Its stake comes free after the
    /// proof window.
    /// @param deviceId the device
    function retire(bytes32 deviceId) external;

    /// @notice Releases the stake of a retired device once no fault of it can be proven and no demand is open against it.
    /// Anyone.
    /// @param deviceId the device
    function releaseStake(bytes32 deviceId) external;

    /// @notice Appoints, changes or revokes an operator of the caller. Counts at once.
    /// @param operator the key; neither zero nor the caller
    /// @param scopes bits of OperatorScopes; zero revokes
    /// @param until the last second
    function setOperator(address operator, uint8 scopes, uint40 until) external;

    /// @notice Names where what the caller's operators claim is paid to.
    /// @param payout the address; zero for the caller itself
    function setPayout(address payout) external;

    /// @notice Takes a device that a proof has convicted off the market, releases its reservation, and tells the escrow.
    /// Callable by FraudProofs, once for each device.
    /// @param deviceId the device
    /// @param epoch of the fault; one that the device answers for
    /// @return provider who pays
    /// @return stake how much
    function markSlashed(bytes32 deviceId, uint64 epoch) external returns (address provider, uint128 stake);

    /// @notice Reverts, naming which, unless all of these devices are this provider's and active.
    /// @param provider whose they are to be
    /// @param deviceIds one to sixteen, strictly ascending
    function checkLeasable(address provider, bytes32[] calldata deviceIds) external view;

    /// @notice One device.
    /// @param deviceId the device
    /// @return device_ the zero device for an unknown id
    function device(bytes32 deviceId) external view returns (Device memory device_);

    /// @notice One profile.
    /// @param id of the profile
    /// @return profile_ the zero profile for an unknown id
    function profile(uint32 id) external view returns (Profile memory profile_);

    /// @notice Whether a profile takes no more devices.
    /// @param id of the profile
    /// @return closed false for an unknown id
    function profileClosed(uint32 id) external view returns (bool closed);

    /// @notice What governance cannot exceed when it adds a profile.
    /// @return bounds fixed when the contract was made
    function profileBounds() external view returns (ProfileBounds memory bounds);

    /// @notice The epochs that a device answers for: from that of its enrolment to that of its retirement.
    /// @param deviceId the device
    /// @return first epoch
    /// @return last epoch; the largest number as long as it is active, zero for an unknown id
    /// @return status of the device
    function liability(bytes32 deviceId) external view returns (uint64 first, uint64 last, Status status);

    /// @notice When the stake of a retired device comes free.
    /// @param deviceId the device
    /// @return timestamp in seconds; zero for one that is not retired
    function releasableFrom(bytes32 deviceId) external view returns (uint256 timestamp);

    /// @notice What an operator may do for a provider, and until when; zeros for nothing.
    /// @param provider whose operator it is
    /// @param operator the key
    /// @return operator_ scopes and last second
    function operatorOf(address provider, address operator) external view returns (Operator memory operator_);

    /// @notice Whether an operator may now do all of these things for a provider.
    /// @param provider whose operator it is
    /// @param operator the key
    /// @param scopes bits of OperatorScopes; none of them is never allowed
    /// @return may whether it may
    function mayAct(address provider, address operator, uint8 scopes) external view returns (bool may);

    /// @notice Where what a provider's operators claim is paid to.
    /// @param provider whose payout it is
    /// @return payout the provider itself where it named nothing else
    function payoutOf(address provider) external view returns (address payout);

    /// @notice Number of devices ever enrolled.
    /// @return count of them
    function deviceCount() external view returns (uint40 count);

    /// @notice Number of profiles ever added; their ids count from 1.
    /// @return count of them
    function profileCount() external view returns (uint32 count);

    /// @notice Key that signs for a device.
    /// @param deviceId the device
    /// @return deviceKey zero for an unknown id
    function keyOf(bytes32 deviceId) external view returns (address deviceKey);

    /// @notice What a device has to compute under an epoch's seed, who pays, and the key that signs. Zeros for an unknown id.
    /// @param deviceId the device
    /// @param epochSeed of the epoch
    /// @return p its profile
    /// @return profileId id of it
    /// @return provider who pays
    /// @return deviceKey that signs
    /// @return jobHash_ as `jobHash`
    function jobOf(
        bytes32 deviceId,
        bytes32 epochSeed
    ) external view returns (Profile memory p, uint32 profileId, address provider, address deviceKey, bytes32 jobHash_);

    /// @notice Nonce of the next enrolment that a device key signs.
    /// @param deviceKey the key
    /// @return nonce of it
    function enrolNonce(address deviceKey) external view returns (uint64 nonce);

    /// @notice keccak256(provider ‖ deviceKey), 40 bytes.
    /// @param provider who stakes for it
    /// @param deviceKey that signs for it
    /// @return deviceId of the two
    function deviceIdOf(address provider, address deviceKey) external pure returns (bytes32 deviceId);

    /// @notice keccak256(epochSeed ‖ abi.encode(profileId, M, N, K, T, chunk, k, W)).
    /// @param profileId of the profile
    /// @param epochSeed of the epoch
    /// @return hash of the job
    function jobHash(uint32 profileId, bytes32 epochSeed) external view returns (bytes32 hash);
}
