"""What a benchmark has to meet to succeed."""
