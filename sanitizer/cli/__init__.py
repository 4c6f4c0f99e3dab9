"""The commands `irene sanitize`, `sweep` and `demo`."""
