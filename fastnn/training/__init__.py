"""Everything that `fastnn.train` puts together: solvers, limits, checkpoints, diagnosis, data on a cluster."""
