"""What a declared name of a card means, however it is written, and whether it is what somebody looks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from assay.sheet.known_models import KNOWN_MODELS, CardModel

# Without these a name means another card: who looks for an RTX 4070 means no Ti, and for an A100 no slice of one.
TELLS_APART = frozenset({"ti", "super", "d", "laptop", "mobile", "max", "mig"})
# Said of every card of a maker, or of none in particular.
NOISE = frozenset(
    (
        "nvidia",
        "geforce",
        "tesla",
        "corporation",
        "amd",
        "radeon",
        "instinct",
        "gpu",
        "graphics",
        "card",
        "generation",
        "edition",
        "with",
        "design",
        "and",
    )
)
FORMS = frozenset({"sxm", "pcie", "nvl"})
FAMILIES = frozenset(
    word for model in KNOWN_MODELS for word in model.words if any(c.isdigit() for c in word)
) | {"a10g", "a16", "a2", "a800", "h20", "h800", "b300", "gb200", "p100", "p40"}  # fmt: skip
MIB_IN_GIB = 1024
# Sizes that memory is sold in, GB. A driver tells less: what error correction takes, a sixteenth, is not in it.
SOLD_GB = (2, 3, 4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 128, 141, 144, 180, 192, 256, 288)
TOLD_OF_SOLD = 0.92
SLICE = re.compile(r"\bmig\b[\s-]*(\d+)g[.\s](\d+)gb", re.IGNORECASE)
_RUN = re.compile("[a-z0-9]+")
_GB = re.compile(r"(\d+)(?:gb|gib|g)")
_PREFIX = re.compile(r"(rtx|gtx|gh(?=200))(\w+)")
_SUFFIX = re.compile(r"([a-z]*\d+[a-z]??)(sxm\d?|pcie|nvl|super|ti|ada|laptop|mobile)(\w*)")


def words_of(name: str) -> frozenset[str]:
    """The words of a name that tell cards apart: rtx, 4070 and ti of `RTX_4070Ti`, a100, sxm and 80gb of
    `A100-SXM4-80GB`."""
    text = name.casefold()
    found: set[str] = set()
    if part := SLICE.search(text):
        # The memory beside is the whole card's.
        text = f"{text[: part.start()]} mig"
        found |= {f"{part[1]}g", f"{part[2]}gb"}
        text = re.sub(r"\b\d+gb\b", " ", text)
    text = re.sub(r"(\d+)\s+(gb|gib)\b", r"\1\2", text)
    for run in _RUN.findall(text):
        found.update(_split(run))
    words = frozenset(found - NOISE)
    # What NVML calls an H100 with HBM3 is the SXM form of it; the others say their own.
    if "h100" in words and "hbm3" in words and not words & FORMS:
        words |= {"sxm"}
    return words - {"hbm2", "hbm2e", "hbm3", "hbm3e"}


def _split(run: str) -> list[str]:
    if run.startswith("gh200"):
        return ["gh200"]
    if match := _PREFIX.fullmatch(run):
        return [match[1], *_split(match[2])]
    if match := _SUFFIX.fullmatch(run):
        return [match[1], *_split(match[2]), *(_split(match[3]) if match[3] else [])]
    if re.fullmatch(r"sxm\d?", run):
        return ["sxm"]
    if match := _GB.fullmatch(run):
        return [f"{match[1]}gb"]
    return [run]


@dataclass(frozen=True, slots=True)
class NamedModel:
    """What a declared name and memory say. `name` is how it is written here, the declared text where it is not known;
    `candidates` the models that it may be: of an `A100` all forms of it. `memory_gb` is what it is sold as, 0 unknown.
    """

    name: str
    words: frozenset[str]
    candidates: tuple[CardModel, ...]
    memory_gb: int

    @property
    def expected_gops(self) -> int:
        """The least score that an honest one of them should have; 0 where that is not known."""
        return min((one.expected_gops for one in self.candidates), default=0)


@lru_cache(maxsize=4096)
def named_model(declared: str, memory_mib: int = 0) -> NamedModel:
    """What a declaration means. A text that names cards of several kinds names none: it would be found as each."""
    words = words_of(declared)
    families = words & FAMILIES
    if len(families) > 1:
        return NamedModel(declared.strip(), frozenset(), (), sold_gb(memory_mib))
    if "mig" in words:
        return NamedModel(_written(declared), words, (), sold_gb(memory_mib))
    size = sold_gb(memory_mib) or next((gb for gb in _sizes(words) if gb in SOLD_GB), 0)
    found = _candidates(words, size)
    if not found:
        return NamedModel(_written(declared), words, (), sold_gb(memory_mib))
    sizes = {one.memory_gb for one in found}
    gb = size or (sizes.pop() if len(sizes) == 1 else 0)
    names = list(dict.fromkeys(one.name for one in found))
    name = names[0] if len(names) == 1 else next(iter(families)).upper()
    kind = found[0].words if len(names) == 1 else found[0].words - FORMS
    alike = [one for one in KNOWN_MODELS if (one.words if len(names) == 1 else one.words - FORMS) == kind]
    several = len({one.memory_gb for one in alike}) > 1
    more = {word for one in names for word in words_of(one)} if len(names) == 1 else set()
    shown = f"{name} {gb}GB" if several and gb else name
    # What memory a name tells beside is not always the card's: a GH200 names its processor's.
    words = frozenset(word for word in words if not _GB.fullmatch(word)) | more
    return NamedModel(shown, words | ({f"{gb}gb"} if gb else frozenset()), found, gb)


def _sizes(words: frozenset[str]) -> list[int]:
    return sorted(int(match[1]) for word in words if (match := _GB.fullmatch(word)))


def _candidates(words: frozenset[str], size: int) -> tuple[CardModel, ...]:
    """The models that these words may mean: every form of a family where none is told."""
    apart = words & TELLS_APART
    form = words & FORMS
    found = []
    for one in KNOWN_MODELS:
        kind = one.words - FORMS
        fits_form = not form or not one.words & FORMS or bool(one.words & form)
        if kind <= words and fits_form and one.words & TELLS_APART == apart:
            found.append(one)
    most = max((len(one.words - FORMS) for one in found), default=0)
    found = [one for one in found if len(one.words - FORMS) == most]
    exact = [one for one in found if one.memory_gb == size]
    return tuple(exact or found)


def sold_gb(memory_mib: int) -> int:
    """The GB that memory which a driver tells is sold as, 0 for none: 80 for the 81,559 MiB of an H100."""
    gib = memory_mib / MIB_IN_GIB
    return next((size for size in SOLD_GB if size * TOLD_OF_SOLD <= gib <= size), int(gib))


def is_named(wanted: frozenset[str], words: frozenset[str]) -> bool:
    """Whether a card of these words is what is looked for: it has each word, and none that tells it apart beside."""
    return bool(wanted) and wanted <= words and words & TELLS_APART <= wanted


def of_expected_bps(score_gops: int, expected_gops: int, most_gops: int = 0) -> int:
    """What a proven score is of what the model should make, 10,000 for all of it; 0 where either is not known.
    `most_gops` is the profile's own cap, 0 for none: no score is above it.
    """
    expected = min(expected_gops, most_gops) if most_gops else expected_gops
    return score_gops * 10_000 // expected if expected and score_gops else 0


def _written(declared: str) -> str:
    text = " ".join(declared.replace("_", " ").split())
    for maker in ("NVIDIA GeForce ", "NVIDIA ", "Tesla "):
        if text.casefold().startswith(maker.casefold()):
            return text[len(maker) :]
    return text
