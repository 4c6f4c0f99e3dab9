"""Task accuracy against leakage, over methods and weights."""
