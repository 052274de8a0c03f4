// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";
import {ITimelock} from "contracts/interfaces/ITimelock.sol";

import {Checks} from "./Checks.sol";
import {Demands, Escrow, Fraud, Oracle, Rewards, Seats, Stake, Token} from "./Extras.sol";

/// @title What constructors ask of the timelock
contract Delays is ITimelock {
    /// @inheritdoc ITimelock
    uint256 public immutable longestDelay;

    constructor(uint256 longestDelay_) {
        longestDelay = longestDelay_;
    }
}

/// @title The nine contracts, wired as the deployment wires them
/// @dev The test stands where the timelock stands: it may change whatever governance may. Constructors ask `delays` for the
/// timelock's longest delay, as a test that deploys in its own constructor has no code yet that could answer.
abstract contract Network is Checks {
    uint40 internal constant EPOCH = 1_000;
    uint40 internal constant OPEN_BY = 50;
    uint40 internal constant SEAL_BY = 550;
    uint40 internal constant DRAW_BY = 650;
    uint40 internal constant REPORT_BY = 1_500;
    uint32 internal constant DRAW_DELAY = 2;
    uint40 internal constant PROOF_WINDOW = 10_000;
    uint40 internal constant ANSWER_WINDOW = 1 days;
    uint40 internal constant UNBONDING = 200_000;
    uint40 internal constant HOLDBACK = 4_000;
    uint40 internal constant MAX_DOWNTIME = 600;
    uint40 internal constant CLAIM_DELAY = 300;
    uint40 internal constant LONGEST_DELAY = 5_000;
    uint40 internal constant LONG_CLAIM_DELAY = 6_000;
    uint40 internal constant SLASH_HOLD = 7_000;
    uint32 internal constant COMMIT_LIFETIME = 200;
    uint32 internal constant MAX_AGE = 6;
    uint32 internal constant IDLE_EPOCHS = 6;
    uint128 internal constant SEAT_STAKE = 100_000e18;
    uint128 internal constant DEVICE_STAKE = 1_000e18;
    uint128 internal constant LEAST_STAKE = 100e18;
    uint128 internal constant MOST_STAKE = 10_000e18;
    uint64 internal constant WORK_PER_CREDIT = 24_576; // that of profile 1, whose credit is 1
    uint32 internal constant LONGEST_DEADLINE = 60_000;
    uint128 internal constant UNIT_BOND = 50e18;
    uint64 internal constant REFERENCE_BASE_FEE = 10 gwei;
    uint128 internal constant FIRST_EMISSION = 100e18;
    uint256 internal constant CAP = 1e27;
    uint256 internal constant GENESIS_MINT = 5e26;
    uint128 internal constant FEE_FLOOR = 10_000;

    address internal constant GUARDIAN = address(0x6a4d);

    uint40 internal genesis;
    address internal authority;
    Delays internal delays;
    Token internal token;
    Token internal usd;
    Oracle internal oracle;
    Seats internal seats;
    IDeviceRegistry internal registry;
    Fraud internal fraud;
    Demands internal demands;
    Stake internal stake;
    Rewards internal rewards;
    Escrow internal escrow;

    // What constructors take beside what the interfaces name; the test knows contracts by artifact only.
    struct Schedule {
        uint40 genesis;
        uint32 epochLength;
        uint128 initialEmission;
        uint32 eraEpochs;
    }

    struct Allocation {
        address account;
        uint256 amount;
    }

    struct RewardTerms {
        uint16 providerBps;
        uint128 maxPerCredit;
        uint40 claimDelay;
        uint40 longClaimDelay;
    }

    struct LeaseTerms {
        uint40 holdback;
        uint40 maxDowntime;
        uint32 maxAge;
        uint16 feeBps;
    }

    struct TokenTerms {
        address token;
        uint128 feeFloor;
    }

    function deployNetwork() internal {
        genesis = uint40(block.timestamp) + 10;
        delays = new Delays(LONGEST_DELAY);
        uint256 first = vm.getNonce(address(this));
        authority = _next(first, 0);
        token = Token(_next(first, 1));
        oracle = Oracle(_next(first, 2));
        seats = Seats(_next(first, 3));
        registry = IDeviceRegistry(_next(first, 4));
        fraud = Fraud(_next(first, 5));
        demands = Demands(_next(first, 6));
        stake = Stake(_next(first, 7));
        rewards = Rewards(_next(first, 8));
        usd = Token(_next(first, 9));
        escrow = Escrow(_next(first, 10));
        _putToken();
        _putOracle();
        _putStakes();
        _put(
            "RewardsDistributor",
            abi.encode(
                authority,
                token,
                oracle,
                delays,
                RewardTerms(8_000, 5e18, CLAIM_DELAY, LONG_CLAIM_DELAY)
            ),
            address(rewards)
        );
        _put("TestToken", abi.encode("Test Dollar", "tUSD", uint8(6)), address(usd));
        _putEscrow();
    }

    function _putToken() private {
        address[] memory pausable = new address[](3);
        (pausable[0], pausable[1], pausable[2]) = (address(registry), address(seats), address(escrow));
        _put("Authority", abi.encode(address(this), GUARDIAN, pausable, rewards), authority);
        Allocation[] memory allocations = new Allocation[](1);
        allocations[0] = Allocation(address(this), GENESIS_MINT);
        Schedule memory schedule = Schedule(genesis, uint32(EPOCH), FIRST_EMISSION, 1_000);
        _put(
            "NetworkToken",
            abi.encode("Assay", "ASY", CAP, authority, rewards, schedule, allocations),
            address(token)
        );
    }

    function _putOracle() private {
        _put("EpochOracle", abi.encode(seats, rewards, timing()), address(oracle));
        _put("ValidatorSet", abi.encode(authority, oracle, stake, fraud, SEAT_STAKE, IDLE_EPOCHS), address(seats));
    }

    function _putStakes() private {
        _put(
            "DeviceRegistry",
            abi.encode(authority, stake, oracle, fraud, demands, escrow, profileBounds(), firstProfiles()),
            address(registry)
        );
        _put("FraudProofs", abi.encode(oracle, registry, stake, seats, demands, COMMIT_LIFETIME), address(fraud));
        _put("OpeningDemands", abi.encode(oracle, registry, fraud, token, demandTerms()), address(demands));
        _put(
            "StakeManager",
            abi.encode(
                authority,
                token,
                registry,
                seats,
                fraud,
                oracle,
                delays,
                ANSWER_WINDOW,
                UNBONDING,
                SLASH_HOLD,
                uint16(1_000)
            ),
            address(stake)
        );
    }

    function _putEscrow() private {
        TokenTerms[] memory tokens = new TokenTerms[](2);
        tokens[0] = TokenTerms(address(token), 1e16);
        tokens[1] = TokenTerms(address(usd), FEE_FLOOR);
        LeaseTerms memory terms = LeaseTerms(HOLDBACK, MAX_DOWNTIME, MAX_AGE, 200);
        _put("LeaseEscrow", abi.encode(authority, oracle, registry, stake, terms, tokens), address(escrow));
    }

    function profileBounds() internal pure returns (IDeviceRegistry.ProfileBounds memory) {
        return IDeviceRegistry.ProfileBounds(LEAST_STAKE, MOST_STAKE, WORK_PER_CREDIT, LONGEST_DEADLINE);
    }

    function demandTerms() internal pure returns (IOpeningDemands.Terms memory) {
        return IOpeningDemands.Terms(UNIT_BOND, REFERENCE_BASE_FEE, ANSWER_WINDOW);
    }

    function timing() internal view returns (IEpochOracle.Timing memory) {
        return IEpochOracle.Timing(
            genesis,
            uint32(EPOCH),
            uint32(OPEN_BY),
            uint32(SEAL_BY),
            uint32(DRAW_BY),
            uint32(REPORT_BY),
            DRAW_DELAY,
            PROOF_WINDOW
        );
    }

    /// @dev Profile 1 is small enough to be computed in the EVM; 2 and 3 have the inner lengths of micro and datacenter.
    function firstProfiles() internal pure virtual returns (IDeviceRegistry.Profile[] memory p) {
        p = new IDeviceRegistry.Profile[](3);
        p[0] = IDeviceRegistry.Profile(2, 64, 64, 3, 32, 4, 1, 8_000, 1, 100_000, DEVICE_STAKE);
        p[1] = IDeviceRegistry.Profile(256, 256, 4_096, 8, 256, 64, 2, 8_000, 1, 100_000, DEVICE_STAKE);
        p[2] = IDeviceRegistry.Profile(4_096, 4_096, 65_536, 64, 256, 256, 2, 8_000, 1, 100_000, DEVICE_STAKE);
    }

    function domainOf(address target) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Assay"),
                keccak256("1"),
                block.chainid,
                target
            )
        );
    }

    function digestIn(address target, bytes memory encoded) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainOf(target), keccak256(encoded)));
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        return abi.encodePacked(r, vs);
    }

    function fund(address who, uint256 amount) internal {
        token.transfer(who, amount);
        usd.mint(who, amount);
    }

    function _put(string memory name, bytes memory arguments, address expected) private {
        address at = vm.deployCode(string.concat(name, ".sol:", name), arguments);
        eq(at, expected, name);
        vm.label(at, name);
    }

    function _next(uint256 first, uint256 offset) private view returns (address) {
        return vm.computeCreateAddress(address(this), first + offset);
    }
}
