"""Models of cards with what their makers' data sheets say of them: enough to see that one does far less than it should.

Rates are dense: where a sheet names only the rate with sparsity, half of it. None where no figure is published, or the
card has no such units.
"""

from __future__ import annotations

from dataclasses import dataclass

# What an honest card's score is of its data sheet's int8 rate, at the least. An estimate: of an H100, our engine is
# expected to make 800 to 880 of 1,979, with generator, hashing and memory in it.
SHARE_OF_PEAK_BPS = 4_000
BPS = 10_000

HOPPER = "NVIDIA H100 and H200 data sheets"
AMPERE = "NVIDIA A100, A30, A40 and A10 data sheets"
ADA = "NVIDIA L4, L40 and L40S data sheets"
ADA_PAPER = "NVIDIA Ada architecture paper, appendix"
AMPERE_PAPER = "NVIDIA GA102 architecture paper, appendix"
BLACKWELL_PAPER = "NVIDIA RTX Blackwell architecture paper, appendix"
BY_FP32 = (
    "NVIDIA's product page for memory and float32; int8 worked out as 8 times that, bf16 as 2 times, as of its chip"
)


@dataclass(frozen=True, slots=True)
class CardModel:
    """`words` must all be in a name that means it. Memory in GB as it is sold, rates in TOPS and TFLOPS, bandwidth in
    GB a second.
    """

    name: str
    words: frozenset[str]
    memory_gb: int
    int8_tops: float | None
    bf16_tflops: float | None
    bandwidth_gbs: float
    source: str

    @property
    def expected_gops(self) -> int:
        """The least score that an honest card of this model should have; 0 where it is not known."""
        return round((self.int8_tops or 0) * 1000) * SHARE_OF_PEAK_BPS // BPS


def _card(
    name: str, memory_gb: int, int8: float | None, bf16: float | None, bandwidth: float, source: str, words: str = ""
) -> CardModel:
    return CardModel(name, frozenset((words or name.lower()).split()), memory_gb, int8, bf16, bandwidth, source)


KNOWN_MODELS = (
    _card("B200", 180, 4500, 2250, 7700, "NVIDIA HGX B200 data sheet, an eighth of it"),
    _card("GH200", 96, 1979, 990, 4000, "NVIDIA GH200 data sheet"),
    _card("H200 SXM", 141, 1979, 989, 4800, HOPPER),
    _card("H200 NVL", 141, 1671, 836, 4800, HOPPER),
    _card("H100 SXM", 80, 1979, 989, 3350, HOPPER),
    _card("H100 PCIe", 80, 1513, 756, 2000, HOPPER),
    _card("H100 NVL", 94, 1671, 836, 3900, HOPPER),
    _card("A100 SXM", 80, 624, 312, 2039, AMPERE),
    _card("A100 SXM", 40, 624, 312, 1555, AMPERE),
    _card("A100 PCIe", 80, 624, 312, 1935, AMPERE),
    _card("A100 PCIe", 40, 624, 312, 1555, AMPERE),
    _card("A30", 24, 330, 165, 933, AMPERE),
    _card("A40", 48, 299.3, 149.7, 696, AMPERE),
    _card("A10", 24, 250, 125, 600, AMPERE),
    _card("L40S", 48, 733, 362, 864, ADA),
    _card("L40", 48, 362, 181, 864, ADA),
    _card("L4", 24, 242, 121, 300, ADA),
    _card("T4", 16, 130, None, 300, "NVIDIA T4 data sheet"),
    _card("V100 SXM", 16, None, None, 900, "NVIDIA V100 data sheet"),
    _card("V100 SXM", 32, None, None, 900, "NVIDIA V100 data sheet"),
    _card("V100 PCIe", 16, None, None, 900, "NVIDIA V100 data sheet"),
    _card("V100 PCIe", 32, None, None, 900, "NVIDIA V100 data sheet"),
    _card("RTX PRO 6000", 96, None, None, 1792, "NVIDIA RTX PRO 6000 Blackwell data sheet"),
    _card("RTX 6000 Ada", 48, 728.5, 364.2, 960, ADA_PAPER),
    _card("RTX A6000", 48, 309.7, 154.8, 768, AMPERE_PAPER, "a6000"),
    _card("RTX A5000", 24, 222.2, 111.1, 768, "NVIDIA RTX A5000 data sheet", "a5000"),
    _card("RTX A4000", 16, 153.4, 76.7, 448, "NVIDIA RTX A4000 data sheet", "a4000"),
    _card("RTX 5090", 32, 838, 209.5, 1792, BLACKWELL_PAPER, "5090"),
    _card("RTX 5080", 16, 450.2, 112.6, 960, BLACKWELL_PAPER, "5080"),
    _card("RTX 5070 Ti", 16, 351.5, 87.9, 896, BLACKWELL_PAPER, "5070 ti"),
    _card("RTX 4090", 24, 660.6, 165.2, 1008, ADA_PAPER, "4090"),
    _card("RTX 4080 SUPER", 16, 417.8, 104.4, 736, BY_FP32, "4080 super"),
    _card("RTX 4080", 16, 389.9, 97.5, 717, ADA_PAPER, "4080"),
    _card("RTX 4070 Ti SUPER", 16, 352.8, 88.2, 672, BY_FP32, "4070 ti super"),
    _card("RTX 4070 Ti", 12, 320.7, 80.2, 504, BY_FP32, "4070 ti"),
    _card("RTX 4070 SUPER", 12, 283.9, 71.0, 504, BY_FP32, "4070 super"),
    _card("RTX 4070", 12, 233.2, 58.3, 504, BY_FP32, "4070"),
    _card("RTX 4060 Ti", 16, 176.5, 44.1, 288, BY_FP32, "4060 ti"),
    _card("RTX 4060 Ti", 8, 176.5, 44.1, 288, BY_FP32, "4060 ti"),
    _card("RTX 3090 Ti", 24, 320.0, 80.0, 1008, AMPERE_PAPER, "3090 ti"),
    _card("RTX 3090", 24, 284.7, 71.2, 936, AMPERE_PAPER, "3090"),
    _card("RTX 3080", 10, 238.1, 59.5, 760, AMPERE_PAPER, "3080"),
    _card("RTX 3070", 8, 162.6, 40.6, 448, AMPERE_PAPER, "3070"),
    _card("RTX 3060", 12, 101.9, 25.5, 360, BY_FP32, "3060"),
    _card("MI300X", 192, 2615, 1307, 5300, "AMD Instinct MI300X data sheet"),
)
