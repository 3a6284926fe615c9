"""Scenarios: sequences of actions as data, in the YAML files of this folder and of plugins."""
