"""The benchmark engine: actions, scenarios made of them, contexts that they need, loads, and SLAs."""
