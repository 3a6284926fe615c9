"""Step types that are not plugins of a family: benchmark, shell, ssh, noop and the like."""
