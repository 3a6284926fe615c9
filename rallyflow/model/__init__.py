"""The words of rallyflow: files, values, states and the protocol of a step. Imports nothing else of ours."""
