"""The compiled kernels: the only rooms that import numba.

They take plain arrays, check nothing and import nothing of the rest of the package.
Every kernel has three storeys: *example* (or tile: what the equation says), *block* (a
run of examples, no allocation inside) and *batch* (the parallel loop over blocks and the
ordered sum). Only the batch is called from outside.

An engine is a module with three functions of the same names and arguments:

    forward(theta, layers, X, A)                                                A[:] = output activations
    workspace(layers, X) -> work                                                what the next one writes to
    cost_and_gradient(theta, layers, X, y, weight, decay, work, dtheta) -> J    dtheta[:] = gradient

with `theta` (P,) the flat parameters; `layers` (L, 3) int64, for each layer its inputs, its units
and the code of its activation; `X` (m, n) C-contiguous, float64 or float32; `y` (m,) int64;
`weight` (m,) of the examples, or empty if all are 1; `decay` (P,) lmbda for a weight, 0 for a
bias. All but X and the integers are float64. `differences` has the gradient check's kernels, in
float64 and without any fast mathematics. `fastnn.reference` is their NumPy twin.
"""
