"""The parts of the compiled engines and of the gradient check.

Kernels take plain arrays, check nothing and import nothing of the rest of the package.
Every kernel has three storeys: *example* (or tile: what the equation says), *block* (a
run of examples, no allocation inside) and *batch* (the parallel loop over blocks and the
ordered sum). Only the batch is called from outside. `fastnn.engines` says what the
arguments are; `fastnn.engines.numpy` holds the twins in NumPy.
"""
