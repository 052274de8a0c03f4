"""Kernels for NVIDIA GPUs in Numba-CUDA."""
