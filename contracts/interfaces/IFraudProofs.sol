// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "./IEpochOracle.sol";

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

    /// @dev A leaf of the tree under a seal, and where it stands.
    struct Sealed {
        bytes32 deviceId;
        bytes32 jobHash;
        bytes32 nonceRoot;
        bytes32 resultRoot;
        bytes32 laneRoot;
        bytes32 r;
        bytes32 vs;
        uint32 index;
        bytes32[] path;
    }

    /// @dev A leaf of a seat's batch of observations, the batch's signature, and where the leaf stands in it. Set and rho
    /// are those of the epoch on-chain.
    struct Observed {
        uint64 epoch;
        uint32 seat;
        bytes32 batchRoot;
        bytes32 r;
        bytes32 vs;
        bytes32 deviceId;
        bytes32 resultRoot;
        uint64 elapsedUs;
        uint16 flags;
        uint16 uptimeBps;
        uint32 index;
        bytes32[] path;
    }

    enum Statement {
        Seal, // content: abi.encode(bytes32 sealRoot, uint32 count)
        Observations, // content: abi.encode(bytes32 batchRoot); round is 0
        EpochReport // content: abi.encode(bytes32 devicesRoot, bytes32 rewardsRoot, uint256 rewardsTotal, bytes32 dataHash)
    }

    struct SignedContent {
        bytes content;
        bytes32 r;
        bytes32 vs;
    }

    /// @dev An account's line in the reward tree of an accepted report.
    struct RewardLine {
        uint64 epoch;
        uint256 cumulative;
        bytes32[] proof;
    }

    /// @dev What a device has been asked to show: the row sampled by `index` (q), or the leaf of round `index`.
    struct Demand {
        address demander; // slot 0
        uint64 epoch;
        bool isRow;
        bool open;
        bytes32 deviceId; // slot 1
        bytes32 resultRoot; // slot 2
        address provider; // slot 3
        uint40 deadline;
        uint128 bond; // slot 4
        uint32 t;
        uint32 i;
    }

    /// @dev A fault of all who signed one seal or report; they are slashed one by one.
    struct QuorumFault {
        address reporter;
        uint32 setId;
        uint32 signers;
    }

    event ProofCommitted(address indexed reporter, bytes32 indexed commitHash, uint256 blockNumber);
    event FaultProven(
        Kind indexed kind,
        bytes32 indexed subject,
        uint64 indexed epoch,
        address account,
        uint256 amount,
        address reporter
    );
    event WrongElementShown(
        bytes32 indexed deviceId,
        uint64 indexed epoch,
        uint32 t,
        uint32 i,
        uint32 j,
        int32 claimed,
        int32 correct
    );

    event QuorumFaultRecorded(Kind indexed kind, uint64 indexed epoch, uint32 setId, uint32 signers, address reporter);
    event DemandMade(
        uint256 indexed demandId,
        bytes32 indexed deviceId,
        uint64 indexed epoch,
        bool isRow,
        uint32 t,
        uint32 i,
        uint40 deadline,
        address demander
    );
    event DemandAnswered(uint256 indexed demandId, address indexed answerer);
    event DemandExpired(uint256 indexed demandId);
    event BondCollected(address indexed account, address indexed receiver, uint256 amount);

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
    error FraudProofs_SameCommitment(bytes32 structHash);
    error FraudProofs_SameStatement(bytes32 digest);
    error FraudProofs_BadContent(uint256 length, uint256 expected);
    error FraudProofs_NotDrawn(uint64 epoch);
    error FraudProofs_NotSealed(uint64 epoch);
    error FraudProofs_UnknownSeat(uint32 setId, uint256 seat);
    error FraudProofs_NotPassed(bytes32 deviceId, uint16 flags);
    error FraudProofs_NotSampled(uint256 t, uint256 i, uint256 sampledT, uint256 sampledI);
    error FraudProofs_OtherResult(bytes32 resultRoot, bytes32 expected);
    error FraudProofs_SignatureValid(bytes32 deviceId);
    error FraudProofs_NotInReport(uint64 epoch);
    error FraudProofs_SealMatches(uint32 sealIndex);
    error FraudProofs_EpochOrder(uint64 earlier, uint64 later);
    error FraudProofs_NotShrunk(uint256 earlier, uint256 later);
    error FraudProofs_Vetoed(uint64 epoch);
    error FraudProofs_NotRecorded(Kind kind, uint64 epoch);
    error FraudProofs_NotSigner(uint256 seat, uint32 signers);
    error FraudProofs_DemandOpen(bytes32 deviceId, uint256 demandId);
    error FraudProofs_TooManyDemands(bytes32 deviceId, uint64 epoch);
    error FraudProofs_NoDemand(uint256 demandId);
    error FraudProofs_WrongAnswer(uint256 demandId, bool isRow);
    error FraudProofs_AnswerTooLate(uint256 demandId, uint40 deadline, uint256 timestamp);
    error FraudProofs_NotExpired(uint256 demandId, uint40 deadline, uint256 timestamp);
    error FraudProofs_NothingToCollect(address account);
    error FraudProofs_ZeroReceiver();
    error FraudProofs_RoundCount(uint256 length);
    error FraudProofs_BadBound(string what, uint256 value, uint256 bound);

    /// @notice Records keccak256(abi.encode(reporter, kind, keccak256(abi.encode(proof arguments...)), salt)).
    function commit(bytes32 commitHash) external;

    /// @notice A committed element differs from the dot product recomputed here.
    /// Proof arguments for the commit hash: (c, round, element).
    function proveWrongElement(
        Commitment calldata c,
        Round calldata round,
        Element calldata element,
        bytes32 salt
    ) external;

    /// @notice The seeds are not chained as they must be. `rounds` holds t-1, t, t+1 for a break of s_{t+1} (t >= 1),
    /// 0, 1 for s_1, or 0 alone for s_0. Proof arguments for the commit hash: (c, rounds).
    function proveBrokenChain(Commitment calldata c, Round[] calldata rounds, bytes32 salt) external;

    /// @notice One device signed two different commitments for the job of one epoch.
    /// Proof arguments for the commit hash: (a, b).
    function proveTwoCommitments(Commitment calldata a, Commitment calldata b, bytes32 salt) external;

    /// @notice One seat signed two different statements of one kind for one epoch and round.
    /// Proof arguments for the commit hash: (what, epoch, round, seat, a, b).
    function proveTwoStatements(
        Statement what,
        uint64 epoch,
        uint32 round,
        uint32 seat,
        SignedContent calldata a,
        SignedContent calldata b,
        bytes32 salt
    ) external;

    /// @notice A seat passed a device of whose result the row sampled by `q` is wrong.
    /// Proof arguments for the commit hash: (observed, q, round, element).
    function proveFalsePass(
        Observed calldata observed,
        uint32 q,
        Round calldata round,
        Element calldata element,
        bytes32 salt
    ) external;

    /// @notice A seat passed a device whose seeds are not chained as they must be; `sealed_` is what the device committed to.
    /// Proof arguments for the commit hash: (observed, sealed_, rounds).
    function proveFalsePassChain(
        Observed calldata observed,
        Sealed calldata sealed_,
        Round[] calldata rounds,
        bytes32 salt
    ) external;

    /// @notice A sealed leaf that its device did not sign. Its signers are slashed one by one with `slashSigner`.
    /// Proof arguments for the commit hash: (epoch, sealed_).
    function proveBadSeal(uint64 epoch, Sealed calldata sealed_, bytes32 salt) external;

    /// @notice A report passed a device in whose place in the seal another device, another result or nothing stands.
    /// Proof arguments for the commit hash: (leaf, proof, sealed_).
    function proveUnsealedPass(
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        Sealed calldata sealed_,
        bytes32 salt
    ) external;

    /// @notice What an account has earned fell between two accepted reports, of which the earlier was not vetoed; the signers of
    /// the later one pay.
    /// Proof arguments for the commit hash: (account, earlier, later).
    function proveShrunkReward(
        address account,
        RewardLine calldata earlier,
        RewardLine calldata later,
        bytes32 salt
    ) external;

    /// @notice Slashes one signer of a recorded fault. Anyone; the bounty is the reporter's.
    function slashSigner(Kind kind, uint64 epoch, uint32 seat) external;

    /// @notice Asks a sealed device to show the row sampled by `index`, or the leaf of round `index`. Takes `demandBond`
    /// from the caller, for whoever answers.
    function demand(
        uint64 epoch,
        Sealed calldata sealed_,
        bool isRow,
        uint32 index
    ) external returns (uint256 demandId);

    /// @notice Answers a demand for a round leaf. Anyone.
    function answerRound(uint256 demandId, Round calldata round) external;

    /// @notice Answers a demand for a row: its 4N bytes, and the path from its subtree to the round's root. Anyone.
    function answerRow(uint256 demandId, Round calldata round, bytes calldata row, bytes32[] calldata path) external;

    /// @notice Slashes a device that nobody answered for in time. Anyone; the bounty is the demander's.
    function expireDemand(uint256 demandId) external;

    /// @notice Pays the caller's bonds, earned or returned, to `receiver`.
    function collectBonds(address receiver) external returns (uint256 amount);

    function demandOf(uint256 demandId) external view returns (Demand memory);

    /// @notice The open demand against a device, or 0.
    function openDemandOf(bytes32 deviceId) external view returns (uint256 demandId);

    function bondOf(address account) external view returns (uint256);

    function quorumFault(Kind kind, uint64 epoch) external view returns (QuorumFault memory);

    function answerWindow() external view returns (uint40);

    function demandBond() external view returns (uint128);

    function commitHashOf(address reporter, Kind kind, bytes32 proofHash, bytes32 salt) external pure returns (bytes32);

    function proven(Kind kind, bytes32 subject, uint64 epoch) external view returns (bool);
}
