"""The parts of the compiled engines and of the gradient check.

Kernels take plain arrays, check nothing and import nothing of the package but `spec` and `runtime`.
Every kernel has three layers: the *micro-kernel* or *example* (the equation), the *block* (several
examples, no allocation inside) and the *driver* (the parallel loop over blocks and the ordered sum).
Only the driver is called from outside. `fastnn.engines` defines the arguments; `fastnn.engines.numpy`
is the NumPy reference.
"""
