"""The compiled kernels: the only rooms that import numba.

They take plain arrays, check nothing and import nothing of the rest of the package.
Every kernel has three storeys: *example* (or tile: what the equation says), *block* (a
run of examples, no allocation inside) and *batch* (the parallel loop over blocks and the
ordered sum). Only the batch is called from outside.

An engine is a module with three functions of the same names and arguments:

    forward(theta, sizes, X, A)                                        A[:] = output activations
    workspace(sizes, X) -> work                                        what the next one writes to
    cost_and_gradient(theta, sizes, X, y, decay, work, dtheta) -> J    dtheta[:] = gradient

with `theta` the flat parameters, `sizes` the layer sizes as an int64 array, `X` (m, n)
C-contiguous float64, `y` (m,) int64 and `decay` (P,) lmbda for a weight, 0 for a bias.
`fastnn.reference` is their NumPy twin.
"""
