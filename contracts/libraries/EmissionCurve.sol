// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A capped emission that halves era by era
/// @notice What each epoch may emit, and sums of it; all of them fit in 256 bits for any schedule.
library EmissionCurve {
    uint64 internal constant ERAS = 64;

    /// @notice What epoch may emit: `initial` in the first era, half of it in each era after, then nothing.
    function at(uint256 initial, uint256 eraEpochs, uint256 epoch) internal pure returns (uint256) {
        uint256 era = epoch / eraEpochs;
        return era >= ERAS ? 0 : initial >> era;
    }

    /// @notice The sum over epochs 0..epoch.
    function upTo(uint256 initial, uint256 eraEpochs, uint256 epoch) internal pure returns (uint256 sum) {
        uint256 era = epoch / eraEpochs;
        uint256 whole = era < ERAS ? era : ERAS;
        for (uint256 past = 0; past < whole; ++past) sum += (initial >> past) * eraEpochs;
        if (era < ERAS) sum += (initial >> era) * ((epoch % eraEpochs) + 1);
    }

    /// @notice The sum over all epochs.
    function total(uint256 initial, uint256 eraEpochs) internal pure returns (uint256) {
        return upTo(initial, eraEpochs, ERAS * eraEpochs);
    }

    /// @notice The last epoch that the curve reaches.
    function lastEpoch(uint32 eraEpochs) internal pure returns (uint64) {
        return ERAS * eraEpochs - 1;
    }
}
