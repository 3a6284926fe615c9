"""Servers: what they are, and the providers that give them."""
