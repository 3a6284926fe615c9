"""Step types that are not plugins of a family: benchmark, shell, noop."""
