"""Somebody else's model: load it safely, list its layers, take its representations."""
