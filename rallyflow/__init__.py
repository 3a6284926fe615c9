"""rallyflow: a declarative workflow engine for building, verifying and benchmarking clouds."""

__version__ = "0.1.0"
