"""Render the evidence of an audit as one offline page."""
