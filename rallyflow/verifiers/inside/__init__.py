"""What is loaded into the programs that run tests, in their own Python: it imports nothing of rallyflow."""
