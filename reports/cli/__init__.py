"""The commands `irene report` and `check`."""
