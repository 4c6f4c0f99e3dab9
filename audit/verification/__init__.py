"""Verification: whether a representation still tells people apart, as what is to be kept of an encoder."""
