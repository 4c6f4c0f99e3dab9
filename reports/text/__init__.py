"""Figures put into sentences."""
