"""The compiled kernels: the only rooms that import numba.

They take plain arrays, check nothing and import nothing of the rest of the package.
Every kernel has three storeys: *example* (or tile: what the equation says), *block* (a
run of examples, no allocation inside) and *batch* (the parallel loop over blocks and the
ordered sum). Only the batch is called from outside.

An engine is a module with two kernels of the same names and arguments:

    forward(theta, sizes, X, A)                                  A[:] = output activations
    cost_and_gradient(theta, sizes, X, y, lmbda, dtheta) -> J    dtheta[:] = gradient

with `theta` the flat parameters, `sizes` the layer sizes as an int64 array, `X` (m, n)
C-contiguous float64 and `y` (m,) int64. `fastnn.reference` is their NumPy twin.
"""
