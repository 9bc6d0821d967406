"""Any other engine, MPI: each rank has its own part of the examples, one at least. Four ranks:

    mpiexec -n 4 python bench/train_mpi.py

It needs an MPI on the machine, Open MPI say, and `python -m pip install mpi4py`. All ranks run the same minimiser. MPI
gives all of them the same sums, so on equal machines they all take the same steps and stop together. The order in which
`Allreduce` adds is left to MPI and depends on the number of ranks, and so do the last digits of the result. Ranks that
share a machine should share its cores: NUMBA_NUM_THREADS=1 gives each one thread.
"""

import numpy as np
from mpi4py import MPI
from scipy.optimize import minimize

import fastnn

comm = MPI.COMM_WORLD
rank, size = comm.Get_rank(), comm.Get_size()
X, y = fastnn.load_digits()
X, y = X[rank::size], y[rank::size]  # this rank's part; a file of its own will do as well
sizes, lmbda = (400, 25, 10), 1.0


def cost_and_gradient(theta):
    weights = fastnn.unpack(theta, sizes)
    loss, gradient, weight = fastnn.cost_and_gradient_sums(weights, X, y)  # of this part
    part = np.concatenate([[loss, weight], fastnn.pack(gradient)])
    whole = np.empty_like(part)
    comm.Allreduce(part, whole)  # adds the parts of all ranks
    loss, weight, gradient = whole[0], whole[1], whole[2:]
    decayed = fastnn.pack([np.c_[np.zeros(len(W)), W[:, 1:]] for W in weights])  # all weights but the biases
    return (loss + lmbda / 2 * np.sum(decayed**2)) / weight, (gradient + lmbda * decayed) / weight


start = fastnn.pack(fastnn.init_weights(sizes, seed=0))  # the same on all ranks
result = minimize(cost_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": 20})
if rank == 0:
    np.savez("weights.npz", *fastnn.unpack(result.x, sizes))
    print(f"cost {result.fun:.12f} after {result.nit} iterations")
