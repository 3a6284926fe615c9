"""Runs a plan: a pure core that decides, and a shell that journals, starts attempts and stops them."""
