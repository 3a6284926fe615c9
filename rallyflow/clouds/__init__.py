"""Clouds: connections, the transport of requests, and removing what was made."""
