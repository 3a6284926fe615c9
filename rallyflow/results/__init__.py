"""Measurements at rest: Parquet parts, SQL over them, and the history over all runs."""
