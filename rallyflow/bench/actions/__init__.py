"""Actions: what a scenario is made of, grouped by service, one module each."""
