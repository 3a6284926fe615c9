"""Reports: what was measured, as pages and files for people and programs."""
