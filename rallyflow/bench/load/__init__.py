"""Runs a scenario many times at once: one process per core, threads in it, and a parent that only watches."""
