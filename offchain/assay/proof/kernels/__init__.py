"""Numba kernels for the CPU: compiled once, cached on disk, run without the interpreter's lock."""

from numba import config

from assay.proof.errors import EngineUnavailable

if config.DISABLE_JIT:
    # Parts of them are written in LLVM's language, which only the compiler understands.
    raise EngineUnavailable("NUMBA_DISABLE_JIT is set: the kernels run compiled only, unset it")
