"""One file for each kind of data that can be opened by name or path."""
