"""Everything around kernels: compilation, cache, Numba's threads, cores, forks, BLAS, progress bars."""
