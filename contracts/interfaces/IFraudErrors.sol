// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Why FraudProofs refuses, and what can be proven
/// @notice OpeningDemands checks paths, chunks and sealed leaves as FraudProofs does, and refuses them with the same errors.
interface IFraudErrors {
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
}
