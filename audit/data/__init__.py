"""Rows and labels: what a caller brings, whatever file it lies in."""
