"""Proves for one device of a lease inside its pod: `python -m assay.proof.pod.prover RUN NUMBER`.

Each answer is printed as soon as it is there, and the next question waited for. The renter's clock counts, not ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from assay.proof.engines.registry import Engine, engine
from assay.proof.errors import ProofError
from assay.proof.pod.messages import Line, PodTask, ProverStep, Question, lanes_file, rows_file
from assay.proof.probe import layout
from assay.proof.sampling import samples
from assay.protocol.profile import Profile
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.types import NO_SEED

PATIENCE_S = 600.0  # for the renter's next question
LOOK_S = 0.002
# One tile of the tensor cores: every kernel is compiled and run before the clock does.
_REHEARSAL = Profile(1, M=128, N=256, K=320, T=3, chunk=32, k=1, W=1)


class Prover:
    """One device's."""

    def __init__(self, run: Path, number: int, task: PodTask, print_line: Callable[[str], None]) -> None:
        self._run, self._number, self._task, self._print = run, number, task, print_line
        self._device_id, self._profile = task.devices[number]

    def prove(self) -> None:
        """From the compiled kernels to the openings. Raises ProofError, TimeoutError."""
        task, profile = self._task, self._profile
        used = engine()
        _rehearse(used)
        used.prepare(profile, task.epoch_seed)
        self._say(ProverStep.ready, text=f"{used.name} on {getattr(used, 'device', 'the processor')}")
        self._asked(Question.ping)
        self._say(ProverStep.pong)
        nonce = self._asked(Question.nonce)
        seed = handover_seed(task.epoch_seed, self._device_id, profile.id, nonce, task.lease_id)
        proof = used.prove(seed)
        self._say(ProverStep.proved, proof.result_root)
        probed = None
        if profile.W:
            probed = used.probe(proof, self._asked(Question.walk))
            self._say(ProverStep.walked, probed.lane_root)
        rho = handover_rho(self._asked(Question.reveal), proof.result_root)
        self._keep(rows_file(self._number), proof.open(samples(rho, self._device_id, profile)))
        if probed is not None:
            self._keep(lanes_file(self._number), probed.open(layout.lane_samples(rho, self._device_id, profile)))
        self._say(ProverStep.opened)
        # The renter fetches the files first.
        self._asked(Question.done)

    def _say(self, step: ProverStep, root: bytes = b"", text: str = "") -> None:
        self._print(Line(self._number, step, root, text).written())

    def _asked(self, what: Question) -> bytes:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if said := self._said(what):
                return said
            if self._said(Question.done):
                raise TimeoutError("nothing more is asked")
            time.sleep(LOOK_S)
        raise TimeoutError(f"nothing was asked for {PATIENCE_S:.0f} s")

    def _said(self, what: Question) -> bytes:
        """32 bytes once they have come in whole, nothing before."""
        try:
            said = bytes.fromhex((self._run / what).read_text())
        except (FileNotFoundError, ValueError):
            return b""
        return said if len(said) == 32 else b""

    def _keep(self, name: str, content: bytes) -> None:
        (self._run / name).write_bytes(content)


def _rehearse(used: Engine) -> None:
    """Compiles what the proof needs."""
    used.prepare(_REHEARSAL, NO_SEED)
    proof = used.prove(NO_SEED)
    proof.open([(0, 0)])
    used.probe(proof, bytes(32)).open([0])


def main(run: Path, number: int, print_line: Callable[[str], None] = partial(print, flush=True)) -> int:
    """Entry point; what goes wrong is said to the renter."""
    try:
        Prover(run, number, PodTask.from_json(json.loads((run / "task.json").read_text())), print_line).prove()
    except (ProofError, TimeoutError, OSError, ValueError, KeyError, MemoryError) as error:
        print_line(Line(number, ProverStep.failed, text=f"{type(error).__name__}: {error}").written())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
