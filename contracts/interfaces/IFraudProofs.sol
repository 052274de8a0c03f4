// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "./IEpochOracle.sol";

/// @title Proofs that slash
/// @notice The only caller of `slash`. Each proof is checked here in full; nobody's word is taken.
/// @dev Commit first, reveal at least two blocks later: who merely sees a reveal cannot be there before it. What a fault takes
/// is what its own device or seat has reserved, once, whatever was proven against it.
interface IFraudProofs {
    /// @notice What can be proven. A fault of one kind, device or seat, and epoch is proven once.
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

    /// @notice The caller has not committed to this very call.
    /// @param commitHash of the call
    error FraudProofs_NotCommitted(bytes32 commitHash);

    /// @notice Fewer than two blocks since the commitment.
    /// @param committedAt block of the commitment
    /// @param current this block
    error FraudProofs_RevealTooEarly(uint256 committedAt, uint256 current);

    /// @notice The commitment is too old.
    /// @param committedAt block of the commitment
    /// @param current this block
    error FraudProofs_CommitExpired(uint256 committedAt, uint256 current);

    /// @notice The commitment stands already.
    /// @param commitHash that was sent
    error FraudProofs_AlreadyCommitted(bytes32 commitHash);

    /// @notice This fault was proven before.
    /// @param kind of the fault
    /// @param subject the device, or the seat's account as a number; zero for a quorum's fault
    /// @param epoch of the fault
    error FraudProofs_AlreadyProven(Kind kind, bytes32 subject, uint64 epoch);

    /// @notice The epoch was never opened, is no longer kept, or its proof window is over.
    /// @param epoch that was named
    error FraudProofs_NotProvable(uint64 epoch);

    /// @notice Not the job that the chain knows for this device and epoch.
    /// @param claimed in the commitment
    /// @param expected the chain's
    error FraudProofs_JobMismatch(bytes32 claimed, bytes32 expected);

    /// @notice Signed by somebody else, or by nobody.
    /// @param expected who should have signed
    /// @param recovered who did; zero for nobody
    error FraudProofs_BadSignature(address expected, address recovered);

    /// @notice No device of this id.
    /// @param deviceId that was named
    error FraudProofs_UnknownDevice(bytes32 deviceId);

    /// @notice A number at or above its limit, or not the one that is asked for.
    /// @param what which one
    /// @param value that was given
    /// @param limit its limit
    error FraudProofs_OutOfRange(string what, uint256 value, uint256 limit);

    /// @notice A path that is longer or shorter than the profile or the seal fixes.
    /// @param length of the path
    /// @param expected that it must have
    error FraudProofs_PathLength(uint256 length, uint256 expected);

    /// @notice The leaf does not stand there.
    /// @param computed root that the path leads to
    /// @param expected root that it must lead to
    error FraudProofs_BadPath(bytes32 computed, bytes32 expected);

    /// @notice A chunk or a row of the wrong length.
    /// @param length in bytes
    /// @param expected that it must have
    error FraudProofs_ChunkLength(uint256 length, uint256 expected);

    /// @notice The element is right.
    /// @param value of it
    error FraudProofs_ElementCorrect(int32 value);

    /// @notice The seed is right.
    /// @param t its round
    error FraudProofs_ChainCorrect(uint32 t);

    /// @notice Rounds that do not follow one another.
    /// @param t the round that does not
    error FraudProofs_NotConsecutive(uint32 t);

    /// @notice The two are one.
    /// @param structHash of both
    error FraudProofs_SameCommitment(bytes32 structHash);

    /// @notice The two are one.
    /// @param digest of both
    error FraudProofs_SameStatement(bytes32 digest);

    /// @notice Not the content of such a statement.
    /// @param length in bytes
    /// @param expected that it must have
    error FraudProofs_BadContent(uint256 length, uint256 expected);

    /// @notice No samples were drawn in this epoch.
    /// @param epoch that was named
    error FraudProofs_NotDrawn(uint64 epoch);

    /// @notice Nothing is sealed in this epoch.
    /// @param epoch that was named
    error FraudProofs_NotSealed(uint64 epoch);

    /// @notice No such seat in the set.
    /// @param setId of the epoch
    /// @param seat that was named
    error FraudProofs_UnknownSeat(uint32 setId, uint256 seat);

    /// @notice The device was not passed.
    /// @param deviceId the device
    /// @param flags it was given
    error FraudProofs_NotPassed(bytes32 deviceId, uint16 flags);

    /// @notice The sample falls on another row.
    /// @param t round shown
    /// @param i row shown
    /// @param sampledT round sampled
    /// @param sampledI row sampled
    error FraudProofs_NotSampled(uint256 t, uint256 i, uint256 sampledT, uint256 sampledI);

    /// @notice The two are about different things.
    /// @param resultRoot of the one
    /// @param expected of the other
    error FraudProofs_OtherResult(bytes32 resultRoot, bytes32 expected);

    /// @notice The device signed the leaf.
    /// @param deviceId the device
    error FraudProofs_SignatureValid(bytes32 deviceId);

    /// @notice The line does not stand in the report.
    /// @param epoch of the report
    error FraudProofs_NotInReport(uint64 epoch);

    /// @notice The device stands in the seal where the report says.
    /// @param sealIndex that the report names
    error FraudProofs_SealMatches(uint32 sealIndex);

    /// @notice The earlier report is not earlier.
    /// @param earlier the earlier epoch
    /// @param later the later epoch
    error FraudProofs_EpochOrder(uint64 earlier, uint64 later);

    /// @notice The total did not fall.
    /// @param earlier total
    /// @param later total
    error FraudProofs_NotShrunk(uint256 earlier, uint256 later);

    /// @notice The earlier report was vetoed: whoever goes on from before it is right to.
    /// @param epoch of that report
    error FraudProofs_Vetoed(uint64 epoch);

    /// @notice No such fault is recorded.
    /// @param kind that was named
    /// @param epoch that was named
    error FraudProofs_NotRecorded(Kind kind, uint64 epoch);

    /// @notice The seat did not sign.
    /// @param seat that was named
    /// @param signers a bit for each who did
    error FraudProofs_NotSigner(uint256 seat, uint32 signers);

    /// @notice No rounds, or more than three.
    /// @param length how many
    error FraudProofs_RoundCount(uint256 length);

    /// @notice A parameter that makes no sense.
    /// @param what which one
    /// @param value that was to be set
    /// @param bound the least it can be
    error FraudProofs_BadBound(string what, uint256 value, uint256 bound);

    /// @notice Only OpeningDemands convicts for a withheld opening.
    /// @param caller who called
    error FraudProofs_NotOpeningDemands(address caller);

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
