"""A simulated OpenStack in one process on loopback, spoken to by the ordinary openstacksdk over HTTP.

Its answers and states are OpenStack's; its speed is a model (`speed.py`) with real queues, so that load slows
it down. Nothing measured on it says anything about a real cloud, and every report of it says so.
"""

VERSION = "1"
"""Raised when the same settings give other timings or answers; part of the cloud's fingerprint."""

VERSIONS = {"keystone": "3.14", "nova": "2.96", "glance": "2.9", "neutron": "2.0", "cinder": "3.70"}
"""The newest API version that each service speaks."""
