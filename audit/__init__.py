"""Measure what a frozen model's bottleneck tells about a private attribute."""
