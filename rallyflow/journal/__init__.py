"""The journal: SQLite in WAL mode, the only truth about the state of runs, with any number of live readers."""
