"""The sections of an audit's page, one module each."""
