"""Looks at what rallyflow works with: this machine and its home, and the journal against its own events."""
