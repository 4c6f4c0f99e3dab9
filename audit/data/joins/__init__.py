"""Rows of two files side by side: by what says whose they are, and never by position against it."""
