// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IFraudErrors} from "./interfaces/IFraudErrors.sol";
import {IFraudProofs} from "./interfaces/IFraudProofs.sol";
import {IOpeningDemands} from "./interfaces/IOpeningDemands.sol";
import {CommittedWork} from "./libraries/CommittedWork.sol";
import {DeviceJob} from "./libraries/DeviceJob.sol";
import {PositionalMerkle} from "./libraries/PositionalMerkle.sol";
import {SealedLeaf} from "./libraries/SealedLeaf.sol";

/// @title Openings demanded on-chain
/// @dev What demands cost, and whom. An answerer gets about twice the gas of the answer, at the base fee of the asking: being
/// asked ruins nobody, and what a device could earn by withholding off-chain what it then shows here is one answer's gas. The
/// asker gets the rest back but for a tenth of the bond, which is burned: whoever asks itself loses it. The bond is twice the
/// reward for the first open demand of a device and grows with each: m at once lock m² and burn m²/10 rewards. Nobody's demand
/// takes the place of another's, so all that a culprit can do about being asked is to be asked by others, too, and dearer.
contract OpeningDemands is IOpeningDemands {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @notice The shortest answer window.
    uint40 public constant MIN_ANSWER_WINDOW = 24 hours;

    /// @notice By how much each demand that is open against the device puts off the deadline of the next.
    uint256 public constant EXTENSION_DEVICE = 10 minutes;

    /// @notice By how much each demand that is open in the network puts off the deadline of the next.
    uint256 public constant EXTENSION_NETWORK = 15 seconds;

    /// @notice By how much deadlines are put off at most.
    uint256 public constant MAX_EXTENSION = 7 days;

    /// @notice The multiple of a demand's base fee above which it is not expired.
    uint256 public constant FEE_MULTIPLE = 4;

    /// @notice For how long beyond its deadline a demand is not expired because of fees.
    uint40 public constant FEE_GRACE = 7 days;

    /// @notice Entries of a row that cost as much as everything else in an answer: four bytes each, at 40 gas a byte.
    uint24 public constant ANSWER_SIZE = 512;

    uint256 private constant BURNED_PART = 10;

    IEpochOracle public immutable oracle;
    IDeviceRegistry public immutable deviceRegistry;
    IFraudProofs public immutable fraudProofs;
    IERC20 public immutable token;

    uint128 private immutable unitBond;
    uint64 private immutable referenceBaseFee;
    uint40 private immutable answerWindow;

    /// @inheritdoc IOpeningDemands
    uint256 public demandCount;

    /// @inheritdoc IOpeningDemands
    uint256 public openDemands;

    /// @inheritdoc IOpeningDemands
    mapping(bytes32 deviceId => uint256) public openDemandsOf;

    /// @inheritdoc IOpeningDemands
    mapping(address account => uint256) public bondOf;

    mapping(bytes32 demandId => Demand) private demands;

    /// @param oracle_ whose epochs, seals and draws demands are about
    /// @param deviceRegistry_ knows the devices, and what they answer for
    /// @param fraudProofs_ slashes where nobody answered
    /// @param token_ the network's token, in which bonds are paid
    /// @param terms_ what demands cost, and how long they wait
    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IFraudProofs fraudProofs_,
        IERC20 token_,
        Terms memory terms_
    ) {
        if (terms_.unitBond == 0) revert OpeningDemands_BadBound("unitBond", 0, 1);
        if (terms_.referenceBaseFee == 0) revert OpeningDemands_BadBound("referenceBaseFee", 0, 1);
        if (terms_.answerWindow < MIN_ANSWER_WINDOW) {
            revert OpeningDemands_BadBound("answerWindow", terms_.answerWindow, MIN_ANSWER_WINDOW);
        }
        oracle = oracle_;
        deviceRegistry = deviceRegistry_;
        fraudProofs = fraudProofs_;
        token = token_;
        (unitBond, referenceBaseFee, answerWindow) = (terms_.unitBond, terms_.referenceBaseFee, terms_.answerWindow);
    }

    /// @inheritdoc IOpeningDemands
    function demand(
        uint64 epoch,
        IFraudProofs.Sealed calldata sealed_,
        bool isRow,
        uint32 index,
        uint128 maxBond
    ) external returns (bytes32 demandId) {
        bytes32 deviceId = sealed_.deviceId;
        IDeviceRegistry.Profile memory p = _checkSealed(epoch, sealed_);
        _checkLiable(deviceId, epoch);
        demandId = demandIdOf(deviceId, epoch, isRow, index);
        Demand storage d = demands[demandId];
        if (d.status != DemandStatus.None) revert OpeningDemands_AlreadyDemanded(demandId, d.status);

        // Effects.
        d.demander = msg.sender;
        d.epoch = epoch;
        d.status = DemandStatus.Open;
        d.isRow = isRow;
        d.deviceId = deviceId;
        d.resultRoot = sealed_.resultRoot;
        d.index = index;
        (d.t, d.i) = _asked(p, epoch, deviceId, isRow, index);
        d.baseFee = _baseFee(block.basefee);
        d.ahead = openDemandsOf[deviceId].toUint32();
        d.size = _size(p, isRow);
        d.deadline = _deadline(d.ahead);
        ++openDemandsOf[deviceId];
        ++openDemands;
        ++demandCount;
        uint128 bond = _announce(demandId, d, maxBond);

        // Interactions.
        token.safeTransferFrom(msg.sender, address(this), bond);
    }

    /// @inheritdoc IOpeningDemands
    function answerRound(bytes32 demandId, IFraudProofs.Round calldata round) external {
        (Demand storage d, ) = _answerable(demandId, false, round);
        _answered(demandId, d);
    }

    /// @inheritdoc IOpeningDemands
    function answerRow(
        bytes32 demandId,
        IFraudProofs.Round calldata round,
        bytes calldata row,
        bytes32[] calldata path
    ) external {
        (Demand storage d, IDeviceRegistry.Profile memory p) = _answerable(demandId, true, round);
        CommittedWork.checkPath(CommittedWork.rowRoot(p, row), d.i, path, PositionalMerkle.depth(p.M), round.root);
        _answered(demandId, d);
    }

    /// @inheritdoc IOpeningDemands
    function expireDemand(bytes32 demandId) external {
        Demand storage d = _open(demandId);
        bytes32 deviceId = d.deviceId;
        bool convicts = !_isSlashed(deviceId);
        if (convicts) _checkOverdue(demandId, d);

        // Effects.
        (uint128 bond, , ) = _priceOf(d);
        _close(d, DemandStatus.Expired);
        bondOf[d.demander] += bond;
        emit DemandExpired(demandId, convicts);

        // Interactions.
        if (convicts) fraudProofs.convictWithheld(deviceId, d.epoch, d.demander);
    }

    /// @inheritdoc IOpeningDemands
    function collectBonds(address receiver) external returns (uint256 amount) {
        if (receiver == address(0)) revert OpeningDemands_ZeroReceiver();
        amount = bondOf[msg.sender];
        if (amount == 0) revert OpeningDemands_NothingToCollect(msg.sender);
        bondOf[msg.sender] = 0;
        emit BondCollected(msg.sender, receiver, amount);
        token.safeTransfer(receiver, amount);
    }

    /// @inheritdoc IOpeningDemands
    function bondFor(
        bytes32 deviceId,
        bool isRow
    ) external view returns (uint128 bond, uint128 reward, uint128 burned) {
        return bondAt(deviceId, isRow, block.basefee);
    }

    /// @inheritdoc IOpeningDemands
    function bondOfDemand(bytes32 demandId) external view returns (uint128 bond, uint128 reward, uint128 burned) {
        return _priceOf(demands[demandId]);
    }

    /// @inheritdoc IOpeningDemands
    function demandOf(bytes32 demandId) external view returns (Demand memory) {
        return demands[demandId];
    }

    /// @inheritdoc IOpeningDemands
    function terms() external view returns (Terms memory) {
        return Terms(unitBond, referenceBaseFee, answerWindow);
    }

    /// @inheritdoc IOpeningDemands
    function bondAt(
        bytes32 deviceId,
        bool isRow,
        uint256 baseFee
    ) public view returns (uint128 bond, uint128 reward, uint128 burned) {
        (IDeviceRegistry.Profile memory p, uint32 profileId, , , ) = deviceRegistry.jobOf(deviceId, 0);
        if (profileId == 0) revert IFraudErrors.FraudProofs_UnknownDevice(deviceId);
        return _price(_baseFee(baseFee), _size(p, isRow), openDemandsOf[deviceId]);
    }

    /// @inheritdoc IOpeningDemands
    function demandIdOf(bytes32 deviceId, uint64 epoch, bool isRow, uint32 index) public pure returns (bytes32) {
        return keccak256(abi.encode(deviceId, epoch, isRow, index));
    }

    /// @dev Reverts unless the device signed the leaf and it stands in the seal of an epoch that is provable. A leaf that the
    /// device did not sign is its sealers' fault, and nothing that the device could answer for.
    function _checkSealed(
        uint64 epoch,
        IFraudProofs.Sealed calldata sealed_
    ) private view returns (IDeviceRegistry.Profile memory p) {
        address deviceKey;
        (p, , deviceKey, ) = DeviceJob.find(oracle, deviceRegistry, sealed_.deviceId, epoch, sealed_.jobHash);
        SealedLeaf.check(oracle, epoch, sealed_);
        address recovered = SealedLeaf.signer(oracle, epoch, sealed_);
        if (recovered != deviceKey) revert IFraudErrors.FraudProofs_BadSignature(deviceKey, recovered);
    }

    function _checkLiable(bytes32 deviceId, uint64 epoch) private view {
        (uint64 first, uint64 last, IDeviceRegistry.Status status) = deviceRegistry.liability(deviceId);
        if (status == IDeviceRegistry.Status.Slashed) revert OpeningDemands_DeviceSlashed(deviceId);
        if (epoch < first || epoch > last) revert OpeningDemands_NotLiable(deviceId, epoch, first, last);
    }

    function _isSlashed(bytes32 deviceId) private view returns (bool) {
        (, , IDeviceRegistry.Status status) = deviceRegistry.liability(deviceId);
        return status == IDeviceRegistry.Status.Slashed;
    }

    /// @dev Round and row that are asked for.
    function _asked(
        IDeviceRegistry.Profile memory p,
        uint64 epoch,
        bytes32 deviceId,
        bool isRow,
        uint32 index
    ) private view returns (uint32 t, uint32 i) {
        if (!isRow) {
            CommittedWork.checkBelow("t", index, p.T);
            return (index, 0);
        }
        (, , , bytes32 rho) = oracle.sealOf(epoch);
        if (rho == 0) revert IFraudErrors.FraudProofs_NotDrawn(epoch);
        return CommittedWork.sample(p, rho, deviceId, index);
    }

    /// @dev Each demand that is open leaves those who must answer them, or wait for a block, that much more time.
    function _deadline(uint256 ahead) private view returns (uint40) {
        uint256 extension = ahead * EXTENSION_DEVICE + openDemands * EXTENSION_NETWORK;
        return uint40(block.timestamp + answerWindow + Math.min(extension, MAX_EXTENSION));
    }

    function _announce(bytes32 demandId, Demand storage d, uint128 maxBond) private returns (uint128) {
        Demand memory made = d;
        (uint128 bond, uint128 reward, ) = _price(made.baseFee, made.size, made.ahead);
        if (bond > maxBond) revert OpeningDemands_BondTooHigh(bond, maxBond);
        emit DemandMade(
            demandId,
            made.deviceId,
            made.epoch,
            made.isRow,
            made.index,
            made.t,
            made.i,
            made.deadline,
            made.demander,
            bond,
            reward
        );
        return bond;
    }

    /// @dev Reverts unless the round answers an open demand of that kind against a device that can still be convicted. What a
    /// slashed one withheld is of no more use; its askers get their bonds back instead of paying it.
    function _answerable(
        bytes32 demandId,
        bool isRow,
        IFraudProofs.Round calldata round
    ) private view returns (Demand storage d, IDeviceRegistry.Profile memory p) {
        d = _open(demandId);
        if (d.isRow != isRow) revert OpeningDemands_WrongAnswer(demandId, d.isRow);
        if (_isSlashed(d.deviceId)) revert OpeningDemands_DeviceSlashed(d.deviceId);
        if (round.t != d.t) revert OpeningDemands_WrongRound(demandId, round.t, d.t);
        (p, , , , ) = deviceRegistry.jobOf(d.deviceId, 0);
        CommittedWork.checkRound(p, d.resultRoot, round);
    }

    function _open(bytes32 demandId) private view returns (Demand storage d) {
        d = demands[demandId];
        if (d.status != DemandStatus.Open) revert OpeningDemands_NotOpen(demandId, d.status);
    }

    /// @dev Where answers have become much dearer than the reward was reckoned for, nobody is convicted for not answering; but
    /// whoever can keep fees up does not put off a conviction for ever.
    function _checkOverdue(bytes32 demandId, Demand storage d) private view {
        uint40 deadline = d.deadline;
        if (block.timestamp < deadline) revert OpeningDemands_NotExpired(demandId, deadline, block.timestamp);
        uint256 limit = FEE_MULTIPLE * d.baseFee;
        uint40 until = deadline + FEE_GRACE;
        if (block.basefee > limit && block.timestamp < until) {
            revert OpeningDemands_FeesTooHigh(demandId, block.basefee, limit, until);
        }
    }

    function _answered(bytes32 demandId, Demand storage d) private {
        // Effects.
        (uint128 bond, uint128 reward, uint128 burned) = _priceOf(d);
        _close(d, DemandStatus.Answered);
        bondOf[msg.sender] += reward;
        bondOf[d.demander] += bond - reward - burned;
        emit DemandAnswered(demandId, msg.sender, reward, burned);

        // Interactions.
        ERC20Burnable(address(token)).burn(burned);
    }

    function _close(Demand storage d, DemandStatus status) private {
        d.status = status;
        --openDemandsOf[d.deviceId];
        --openDemands;
    }

    function _priceOf(Demand storage d) private view returns (uint128 bond, uint128 reward, uint128 burned) {
        return _price(d.baseFee, d.size, d.ahead);
    }

    /// @dev Rounded down each, so that reward and burned part are never more than the bond.
    function _price(
        uint256 baseFee,
        uint256 size,
        uint256 ahead
    ) private view returns (uint128 bond, uint128 reward, uint128 burned) {
        reward = ((unitBond * size * baseFee) / (uint256(ANSWER_SIZE) * referenceBaseFee)).toUint128();
        bond = (2 * uint256(reward) * (1 + ahead)).toUint128();
        burned = uint128(bond / BURNED_PART);
    }

    /// @dev What bonds are reckoned with: at low fees as at the reference, so that a demand is never free.
    function _baseFee(uint256 baseFee) private view returns (uint64) {
        return Math.max(baseFee, referenceBaseFee).toUint64();
    }

    function _size(IDeviceRegistry.Profile memory p, bool isRow) private pure returns (uint24) {
        return isRow ? ANSWER_SIZE + uint24(p.N) : ANSWER_SIZE;
    }
}
