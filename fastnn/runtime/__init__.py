"""Where kernels run: compilation and its cache, Numba's threads, cores, forks, BLAS, and what is shown meanwhile."""
