"""Traces of runs for OpenTelemetry: one trace a run, made from its journal. Nothing here is imported unless wanted."""
