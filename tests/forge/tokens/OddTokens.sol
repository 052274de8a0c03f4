// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A token that keeps the standard, for others to break
contract PlainToken {
    uint8 public immutable decimals;
    mapping(address account => uint256) internal balances;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function mint(address to, uint256 amount) external {
        balances[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function balanceOf(address account) public view virtual returns (uint256) {
        return balances[account];
    }

    function transfer(address to, uint256 amount) external virtual returns (bool) {
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        spend(from, amount);
        move(from, to, amount);
        return true;
    }

    function spend(address from, uint256 amount) internal {
        if (allowance[from][msg.sender] != type(uint256).max) allowance[from][msg.sender] -= amount;
    }

    function move(address from, address to, uint256 amount) internal virtual {
        balances[from] -= amount;
        balances[to] += amount;
    }
}

contract FeeToken is PlainToken(6) {
    function move(address from, address to, uint256 amount) internal override {
        balances[from] -= amount;
        balances[to] += amount - amount / 100;
    }
}

/// @dev Returns nothing, as USDT does.
contract NoReturnToken is PlainToken(6) {
    function transfer(address to, uint256 amount) external override returns (bool) {
        move(msg.sender, to, amount);
        assembly {
            return(0, 0)
        }
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        spend(from, amount);
        move(from, to, amount);
        assembly {
            return(0, 0)
        }
    }
}

/// @dev Says no instead of reverting.
contract FalseReturnToken is PlainToken(18) {
    bool public refusing;

    function refuse(bool refusing_) external {
        refusing = refusing_;
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        if (refusing) return false;
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        if (refusing) return false;
        move(from, to, amount);
        return true;
    }
}

/// @dev Balances grow and shrink by themselves.
contract RebasingToken is PlainToken(18) {
    uint256 public permille = 1_000;

    function rebase(uint256 permille_) external {
        permille = permille_;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return balances[account] * permille / 1_000;
    }

    function move(address from, address to, uint256 amount) internal override {
        super.move(from, to, amount * 1_000 / permille);
    }
}

contract BlacklistingToken is PlainToken(6) {
    mapping(address account => bool) public blocked;

    error Blocked(address account);

    function blacklist(address account) external {
        blocked[account] = true;
    }

    function move(address from, address to, uint256 amount) internal override {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super.move(from, to, amount);
    }
}

/// @dev Makes a call in the middle of each transfer, as a hook of ERC-777 would.
contract ReenteringToken is PlainToken(18) {
    address private target;
    bytes private call;
    bool public entered;
    bytes public why;

    function arm(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function move(address from, address to, uint256 amount) internal override {
        super.move(from, to, amount);
        if (target == address(0)) return;
        (address at, bytes memory what) = (target, call);
        target = address(0);
        (entered, why) = at.call(what);
    }
}

/// @dev Takes permits as USDC does: of keys, and of wallets by their own rules; each spent once.
contract WalletPermitToken is PlainToken(6) {
    mapping(address owner => uint256) public nonces;

    error BadPermit(address owner);

    function digestOf(address owner, address spender, uint256 value, uint256 deadline) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), owner, spender, value, nonces[owner], deadline));
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature)
        external
    {
        bytes32 digest = digestOf(owner, spender, value, deadline);
        ++nonces[owner];
        if (block.timestamp > deadline || !signedBy(owner, digest, signature)) revert BadPermit(owner);
        allowance[owner][spender] = value;
    }

    function signedBy(address owner, bytes32 digest, bytes calldata signature) private view returns (bool) {
        if (owner.code.length != 0) return IWallet(owner).isValidSignature(digest, signature) == 0x1626ba7e;
        (bytes32 r, bytes32 s) = (bytes32(signature[:32]), bytes32(signature[32:64]));
        return ecrecover(digest, uint8(signature[64]), r, s) == owner;
    }
}

interface IWallet {
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4);
}
