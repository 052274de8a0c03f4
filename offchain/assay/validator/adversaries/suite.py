"""All attacks on the proof of compute by name: on the proof itself, and on what validators see of it."""

from __future__ import annotations

from assay.proof.adversaries.attack import Attack
from assay.proof.adversaries.suite import ATTACKS as ON_THE_PROOF
from assay.validator.adversaries import nonces, responses, timing

ATTACKS: dict[str, Attack] = {
    **ON_THE_PROOF,
    **{attack.name: attack for attack in [*nonces.ATTACKS, *timing.ATTACKS, *responses.ATTACKS]},
}
