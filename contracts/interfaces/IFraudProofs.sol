// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "./IEpochOracle.sol";
import {IFraudErrors} from "./IFraudErrors.sol";

/// @title Proofs that slash
/// @notice The only caller of `slash`. Each proof is checked here in full; nobody's word is taken.
/// @dev Commit first, reveal at least two blocks later: who merely sees a reveal cannot be there before it. What a fault takes
/// is what its own device or seat has reserved, once, whatever was proven against it.
interface IFraudProofs is IFraudErrors {
    /// @notice What seats sign about an epoch, and the content of each.
    enum Statement {
        Seal, // abi.encode(bytes32 sealRoot, uint32 count)
        Observations, // abi.encode(bytes32 batchRoot); round is 0
        EpochReport // abi.encode(bytes32 devicesRoot, bytes32 rewardsRoot, uint256 rewardsTotal, bytes32 dataHash)
    }

    /// @notice What the device key signed: `Commitment(epoch, jobHash, deviceId, nonceRoot, resultRoot)` of EpochOracle's
    /// domain, compact signature.
    /// @param epoch the epoch
    /// @param jobHash hash of the job, from seed and profile
    /// @param deviceId the device
    /// @param nonceRoot hash of the validators' nonces
    /// @param resultRoot root of the work
    /// @param r first half of the signature
    /// @param vs second half
    struct Commitment {
        uint64 epoch;
        bytes32 jobHash;
        bytes32 deviceId;
        bytes32 nonceRoot;
        bytes32 resultRoot;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice A round leaf keccak256(u256(t) ‖ seed ‖ root) and its path to resultRoot.
    /// @param t number of the round
    /// @param seed seed of the round
    /// @param root root of the round's product
    /// @param path siblings from the leaf up to resultRoot
    struct Round {
        uint32 t;
        bytes32 seed;
        bytes32 root;
        bytes32[] path;
    }

    /// @notice One chunk of C_t: `chunk` int32, little-endian, and its path to the round's root.
    /// @param i row
    /// @param j column
    /// @param chunk the chunk that holds it
    /// @param path siblings from the chunk up to the round's root
    struct Element {
        uint32 i;
        uint32 j;
        bytes chunk;
        bytes32[] path;
    }

    /// @notice A leaf of the tree under a seal, and where it stands.
    /// @param deviceId the device
    /// @param jobHash hash of its job
    /// @param nonceRoot hash of the validators' nonces
    /// @param resultRoot root of its work
    /// @param laneRoot root of its memory probe
    /// @param r first half of the device's signature
    /// @param vs second half
    /// @param index position in the seal
    /// @param path siblings from the leaf up to the seal's root
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

    /// @notice A leaf of a seat's batch of observations, the batch's signature, and where the leaf stands in it. Set and rho
    /// are those of the epoch on-chain.
    /// @param epoch the epoch
    /// @param seat place of the seat in signing order
    /// @param batchRoot root of its batch
    /// @param r first half of the seat's signature
    /// @param vs second half
    /// @param deviceId the device
    /// @param resultRoot root of the work it saw
    /// @param elapsedUs time it measured, in microseconds
    /// @param flags what it found, as in a report
    /// @param uptimeBps uptime it measured, in ten thousandths
    /// @param index position in the batch
    /// @param path siblings from the leaf up to batchRoot
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

    /// @notice A statement's content and a seat's compact signature of it.
    /// @param content what the statement says, as `Statement` lays it out
    /// @param r first half of the signature
    /// @param vs second half
    struct SignedContent {
        bytes content;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice An account's line in the reward tree of an accepted report.
    /// @param epoch epoch of the report
    /// @param cumulative what the account had earned by it
    /// @param proof path of the line in the report's reward tree
    struct RewardLine {
        uint64 epoch;
        uint256 cumulative;
        bytes32[] proof;
    }

    /// @notice A fault of all who signed one seal or report; they are slashed one by one.
    /// @param reporter who proved it
    /// @param setId the set whose seats signed
    /// @param signers a bit for each of them when it was recorded; who signed later is guilty too
    struct QuorumFault {
        address reporter; // slot 0
        uint32 setId;
        uint32 signers;
    }

    /// @notice A proof was committed to.
    /// @param reporter who sent the commitment
    /// @param commitHash that it is under
    /// @param blockNumber of the commitment
    event ProofCommitted(address indexed reporter, bytes32 indexed commitHash, uint256 blockNumber);

    /// @notice A fault was proven and its stake slashed.
    /// @param kind of the fault
    /// @param subject the device, or the seat's account as a number
    /// @param epoch of the fault
    /// @param account who pays
    /// @param amount slashed
    /// @param heldId number of the slash in StakeManager, where it is on hold
    /// @param reporter whose bounty it is
    event FaultProven(
        Kind indexed kind,
        bytes32 indexed subject,
        uint64 indexed epoch,
        address account,
        uint256 amount,
        uint256 heldId,
        address reporter
    );

    /// @notice An element was shown to be wrong.
    /// @param deviceId the device that committed to it
    /// @param epoch of the commitment
    /// @param t round
    /// @param i row
    /// @param j column
    /// @param claimed what the device committed to
    /// @param correct what it must be
    event WrongElementShown(
        bytes32 indexed deviceId,
        uint64 indexed epoch,
        uint32 t,
        uint32 i,
        uint32 j,
        int32 claimed,
        int32 correct
    );

    /// @notice A fault of all who signed a seal or a report was proven.
    /// @param kind of the fault
    /// @param epoch of the seal or report
    /// @param setId the set whose seats signed
    /// @param signers a bit for each who had signed by now
    /// @param reporter whose bounties they are
    event QuorumFaultRecorded(Kind indexed kind, uint64 indexed epoch, uint32 setId, uint32 signers, address reporter);

    /// @notice Records a commitment to a proof that will be made two or more blocks later.
    /// @param commitHash keccak256(abi.encode(reporter, keccak256(calldata))), the calldata being that of the call that will
    /// make the proof, its salt in it: as `commitHashOf`
    function commit(bytes32 commitHash) external;

    /// @notice A committed element differs from the dot product recomputed here.
    /// @param c the device's commitment
    /// @param round that the element is in
    /// @param element the chunk that holds it
    /// @param salt that kept the commitment from being guessed
    function proveWrongElement(
        Commitment calldata c,
        Round calldata round,
        Element calldata element,
        bytes32 salt
    ) external;

    /// @notice The seeds are not chained as they must be.
    /// @param c the device's commitment
    /// @param rounds t-1, t, t+1 for a break of s_{t+1} (t >= 1); 0, 1 for s_1; 0 alone for s_0
    /// @param salt that kept the commitment from being guessed
    function proveBrokenChain(Commitment calldata c, Round[] calldata rounds, bytes32 salt) external;

    /// @notice One device signed two different commitments for the job of one epoch.
    /// @param a the one
    /// @param b the other
    /// @param salt that kept the commitment from being guessed
    function proveTwoCommitments(Commitment calldata a, Commitment calldata b, bytes32 salt) external;

    /// @notice One seat signed two different statements of one kind for one epoch and round.
    /// @param what kind of statement
    /// @param epoch of both
    /// @param round of both
    /// @param seat in the epoch's set
    /// @param a the one
    /// @param b the other
    /// @param salt that kept the commitment from being guessed
    function proveTwoStatements(
        Statement what,
        uint64 epoch,
        uint32 round,
        uint32 seat,
        SignedContent calldata a,
        SignedContent calldata b,
        bytes32 salt
    ) external;

    /// @notice A seat passed a device of whose result a sampled row is wrong.
    /// @param observed what the seat signed about the device
    /// @param q the sample
    /// @param round that it falls on
    /// @param element of the sampled row
    /// @param salt that kept the commitment from being guessed
    function proveFalsePass(
        Observed calldata observed,
        uint32 q,
        Round calldata round,
        Element calldata element,
        bytes32 salt
    ) external;

    /// @notice A seat passed a device whose seeds are not chained as they must be.
    /// @param observed what the seat signed about the device
    /// @param sealed_ what the device committed to
    /// @param rounds as in `proveBrokenChain`
    /// @param salt that kept the commitment from being guessed
    function proveFalsePassChain(
        Observed calldata observed,
        Sealed calldata sealed_,
        Round[] calldata rounds,
        bytes32 salt
    ) external;

    /// @notice A sealed leaf that its device did not sign. Its signers are slashed one by one with `slashSigner`.
    /// @param epoch of the seal
    /// @param sealed_ the leaf
    /// @param salt that kept the commitment from being guessed
    function proveBadSeal(uint64 epoch, Sealed calldata sealed_, bytes32 salt) external;

    /// @notice A report passed a device in whose place in the seal another device, another result or nothing stands.
    /// @param leaf of the report
    /// @param proof that it stands there
    /// @param sealed_ what stands in its place in the seal; not looked at where that is beyond the seal's end
    /// @param salt that kept the commitment from being guessed
    function proveUnsealedPass(
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        Sealed calldata sealed_,
        bytes32 salt
    ) external;

    /// @notice What an account has earned fell between two accepted reports, of which the earlier was not vetoed; the signers
    /// of the later one pay.
    /// @param account whose rewards they are
    /// @param earlier its line in the earlier report
    /// @param later its line in the later report
    /// @param salt that kept the commitment from being guessed
    function proveShrunkReward(
        address account,
        RewardLine calldata earlier,
        RewardLine calldata later,
        bytes32 salt
    ) external;

    /// @notice Slashes one signer of a recorded fault, also one whose signature was added after it was recorded. Anyone; the
    /// bounty is the reporter's.
    /// @param kind of the fault
    /// @param epoch of the fault
    /// @param seat in the epoch's set
    function slashSigner(Kind kind, uint64 epoch, uint32 seat) external;

    /// @notice Slashes a device for which nobody answered a demand. Callable by OpeningDemands.
    /// @param deviceId the device
    /// @param epoch of its commitment
    /// @param reporter who had asked
    function convictWithheld(bytes32 deviceId, uint64 epoch, address reporter) external;

    /// @notice A recorded fault of a quorum; zeros for none.
    /// @param kind of the fault
    /// @param epoch of the fault
    /// @return fault who reported it, and who had signed by then
    function quorumFault(Kind kind, uint64 epoch) external view returns (QuorumFault memory fault);

    /// @notice What `commit` takes.
    /// @param reporter who will make the proof
    /// @param proofCall the calldata of the call that will make it
    /// @return commitHash keccak256(abi.encode(reporter, keccak256(proofCall)))
    function commitHashOf(address reporter, bytes calldata proofCall) external pure returns (bytes32 commitHash);

    /// @notice Block of a commitment that was not used; zero for none.
    /// @param commitHash that was sent
    /// @return blockNumber of the commitment
    function committedAt(bytes32 commitHash) external view returns (uint256 blockNumber);

    /// @notice Blocks after which a commitment is worth nothing.
    /// @return blocks after that of the commitment
    function commitLifetime() external view returns (uint32 blocks);

    /// @notice Whether a fault was proven.
    /// @param kind of the fault
    /// @param subject the device, or the seat's account as a number; zero for a quorum's fault as it was recorded
    /// @param epoch of the fault
    /// @return whether it was
    function proven(Kind kind, bytes32 subject, uint64 epoch) external view returns (bool whether);
}
