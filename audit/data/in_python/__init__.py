"""Rows and labels as Python holds them."""
