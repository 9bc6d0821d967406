"""Training on a Dask cluster. `fastnn.train` takes Dask arrays and frames for X, y and sample_weight."""

from .training.control import ClusterLost
from .training.dask import DaskData as _DaskData  # noqa: F401  says now if dask is missing

__all__ = ["ClusterLost"]
