"""Statistics: functions over columns or over a DuckDB connection, with no state and no files of their own."""
