"""Data sources that the command line knows by name, one file each."""
