"""What an iteration finds ready: made before a load, booked in the ledger, always removed after it."""
