"""Numba kernels for the CPU: compiled once, cached on disk, run without the interpreter's lock."""
