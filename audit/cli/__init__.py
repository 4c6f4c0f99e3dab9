"""The commands `irene layers`, `audit`, `verify` and `schema`."""
