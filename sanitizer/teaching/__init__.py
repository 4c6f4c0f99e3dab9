"""More rows to clean by: a teacher of the private attributes labels rows that have none."""
