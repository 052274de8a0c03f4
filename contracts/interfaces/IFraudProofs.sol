// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Proofs that slash
/// @notice The only caller of `slash`. Each proof is checked here in full; nobody's word is taken.
/// @dev Commit first, reveal at least one block later: a proof cannot be front-run.
interface IFraudProofs {
    enum Kind {
        None,
        WrongElement,
        BrokenChain,
        TwoCommitments,
        WithheldOpening,
        TwoStatements,
        FalsePass,
        BadSeal,
        UnsealedPass,
        ShrunkReward
    }

    /// @dev What the device key signed: `Commitment(epoch, jobHash, deviceId, nonceRoot, resultRoot)` of EpochOracle's
    /// domain, compact signature.
    struct Commitment {
        uint64 epoch;
        bytes32 jobHash;
        bytes32 deviceId;
        bytes32 nonceRoot;
        bytes32 resultRoot;
        bytes32 r;
        bytes32 vs;
    }

    /// @dev A round leaf keccak256(u256(t) ‖ seed ‖ root) and its path to resultRoot.
    struct Round {
        uint32 t;
        bytes32 seed;
        bytes32 root;
        bytes32[] path;
    }

    /// @dev One chunk of C_t: `chunk` int32, little-endian, and its path to the round's root.
    struct Element {
        uint32 i;
        uint32 j;
        bytes chunk;
        bytes32[] path;
    }

    event ProofCommitted(address indexed reporter, bytes32 indexed commitHash, uint256 blockNumber);
    event FaultProven(
        Kind indexed kind, bytes32 indexed subject, uint64 indexed epoch, address account, uint256 amount, address reporter
    );
    event WrongElementShown(bytes32 indexed deviceId, uint64 indexed epoch, uint32 t, uint32 i, uint32 j, int32 claimed, int32 correct);

    error FraudProofs_NotCommitted(bytes32 commitHash);
    error FraudProofs_RevealTooEarly(uint256 committedAt, uint256 current);
    error FraudProofs_CommitExpired(uint256 committedAt, uint256 current);
    error FraudProofs_AlreadyCommitted(bytes32 commitHash);
    error FraudProofs_AlreadyProven(Kind kind, bytes32 subject, uint64 epoch);
    error FraudProofs_NotProvable(uint64 epoch);
    error FraudProofs_JobMismatch(bytes32 claimed, bytes32 expected);
    error FraudProofs_BadSignature(address expected, address recovered);
    error FraudProofs_UnknownDevice(bytes32 deviceId);
    error FraudProofs_OutOfRange(string what, uint256 value, uint256 limit);
    error FraudProofs_PathLength(uint256 length, uint256 expected);
    error FraudProofs_BadPath(bytes32 computed, bytes32 expected);
    error FraudProofs_ChunkLength(uint256 length, uint256 expected);
    error FraudProofs_ElementCorrect(int32 value);
    error FraudProofs_ChainCorrect(uint32 t);
    error FraudProofs_NotConsecutive(uint32 t);
    error FraudProofs_RoundCount(uint256 length);
    error FraudProofs_ZeroSeed(bytes32 deviceId);
    error FraudProofs_BadBound(string what, uint256 value, uint256 bound);

    /// @notice Records keccak256(abi.encode(reporter, kind, keccak256(abi.encode(proof arguments...)), salt)).
    function commit(bytes32 commitHash) external;

    /// @notice A committed element differs from the dot product recomputed here.
    /// Proof arguments for the commit hash: (c, round, element).
    function proveWrongElement(Commitment calldata c, Round calldata round, Element calldata element, bytes32 salt) external;

    /// @notice The seeds are not chained as they must be. `rounds` holds t-1, t, t+1 for a break of s_{t+1} (t >= 1),
    /// 0, 1 for s_1, or 0 alone for s_0. Proof arguments for the commit hash: (c, rounds).
    function proveBrokenChain(Commitment calldata c, Round[] calldata rounds, bytes32 salt) external;

    function commitHashOf(address reporter, Kind kind, bytes32 proofHash, bytes32 salt) external pure returns (bytes32);

    function proven(Kind kind, bytes32 subject, uint64 epoch) external view returns (bool);
}
