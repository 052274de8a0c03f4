// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {OperatorScopes} from "../libraries/OperatorScopes.sol";
import {PartySignature} from "../libraries/PartySignature.sol";
import {Offers} from "./Offers.sol";

/// @dev What `IDeviceRegistry.device` answers, as far as it is read here.
interface IDeviceProvider {
    function device(bytes32 deviceId) external view returns (address provider);
}

/// @title Whose word counts: signatures, operators, offers that were cancelled, and who submits for a renter
abstract contract Parties is ILeaseEscrow, IERC5267 {
    using Offers for Offer;

    bytes32 internal constant START_TYPEHASH =
        keccak256("LeaseStart(uint256 leaseId,bytes32 offerHash,bytes32 resultRoots,uint40 validUntil)");

    IDeviceRegistry public immutable deviceRegistry;

    /// @inheritdoc ILeaseEscrow
    mapping(bytes32 deviceId => mapping(address signer => uint64)) public nonceFloor;
    /// @inheritdoc ILeaseEscrow
    mapping(address renter => mapping(address agent => bool)) public isRefunder;

    constructor(IDeviceRegistry deviceRegistry_) {
        deviceRegistry = deviceRegistry_;
    }

    /// @inheritdoc ILeaseEscrow
    function nameRefunder(address agent, bool may) external {
        isRefunder[msg.sender][agent] = may;
        emit RefunderNamed(msg.sender, agent, may);
    }

    /// @inheritdoc ILeaseEscrow
    function cancelOffers(bytes32 deviceId, uint64 floor) external {
        _cancelOffers(deviceId, msg.sender, floor);
    }

    /// @inheritdoc ILeaseEscrow
    function cancelOffersOf(bytes32 deviceId, address signer, uint64 floor) external {
        if (msg.sender != IDeviceProvider(address(deviceRegistry)).device(deviceId)) {
            revert LeaseEscrow_NotProvider(deviceId, msg.sender);
        }
        _cancelOffers(deviceId, signer, floor);
    }

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (0x0f, "Assay", "1", block.chainid, address(this), salt, extensions);
    }

    /// @dev The offer was signed by whom it names, who may, and has not cancelled it; and all its devices can be leased.
    function _checkOffered(Offer calldata offer, bytes32 hash, bytes calldata signature) internal view {
        address signer = offer.signerOf();
        if (signer != offer.provider) _checkOperator(offer.provider, signer);
        offer.checkFloors(signer, nonceFloor);
        _checkSignature(signer, hash, signature);
        _checkLeasable(offer);
    }

    /// @dev The operator who signed the offer must still be good, the devices too, and the caller be the provider or an operator
    /// who starts.
    function _checkStarter(uint256 leaseId, Offer calldata offer) internal view returns (bool byProvider) {
        address provider = offer.provider;
        address signer = offer.signerOf();
        byProvider = _checkSide(provider, leaseId, OperatorScopes.START);
        if (signer != provider) _checkOperator(provider, signer);
        _checkLeasable(offer);
    }

    /// @dev Whether the caller is the provider itself, and not an operator.
    function _checkSide(address provider, uint256 leaseId, uint8 scopes) internal view returns (bool byProvider) {
        byProvider = msg.sender == provider;
        if (!byProvider && !_mayAct(provider, msg.sender, scopes)) revert LeaseEscrow_NotParty(leaseId, msg.sender);
    }

    /// @dev The provider has its money paid to whomever it likes, an operator to the provider's payout address.
    function _checkReceiver(address provider, uint256 leaseId, address receiver) internal view {
        if (_checkSide(provider, leaseId, OperatorScopes.CLAIM)) return;
        address payout = deviceRegistry.payoutOf(provider);
        if (receiver != payout) revert LeaseEscrow_NotPayout(receiver, payout);
    }

    function _checkSignature(address signer, bytes32 structHash, bytes calldata signature) internal view {
        bytes32 digest = OracleTypes.digest(OracleTypes.domain(address(this)), structHash);
        if (!PartySignature.isValid(signer, digest, signature)) revert LeaseEscrow_BadSignature(signer);
    }

    function _checkOperator(address provider, address operator) private view {
        if (!_mayAct(provider, operator, OperatorScopes.OFFER)) {
            revert LeaseEscrow_OperatorNotAllowed(provider, operator, OperatorScopes.OFFER);
        }
    }

    function _checkLeasable(Offer calldata offer) private view {
        deviceRegistry.checkLeasable(offer.provider, offer.deviceIds);
    }

    function _mayAct(address provider, address operator, uint8 scopes) private view returns (bool) {
        return deviceRegistry.mayAct(provider, operator, scopes);
    }

    function _cancelOffers(bytes32 deviceId, address signer, uint64 floor) private {
        mapping(address signer => uint64) storage floors = nonceFloor[deviceId];
        uint256 present = floors[signer];
        if (floor <= present) revert LeaseEscrow_FloorNotRaised(uint256(floor), present);
        floors[signer] = floor;
        emit OffersCancelled(deviceId, signer, floor);
    }
}
