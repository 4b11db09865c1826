"""The small tree and its jobs are those of the measurements, which run in the children."""

from tests.measurements.conftest import job_of, tree

__all__ = ["job_of", "tree"]
