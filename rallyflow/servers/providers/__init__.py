"""The first-party server providers, one module each."""
