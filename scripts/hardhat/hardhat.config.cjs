// Several transactions of one second are in several blocks of that second, as on anvil: a clock that ran ahead with each
// would leave every epoch behind before it began.
const [chainId, mnemonic, count] = JSON.parse(process.env.ASSAY_HARDHAT);

module.exports = {
  solidity: "0.8.30",
  networks: {
    hardhat: {
      chainId,
      hardfork: "cancun",
      allowBlocksWithSameTimestamp: true,
      accounts: { mnemonic, count },
    },
  },
};
