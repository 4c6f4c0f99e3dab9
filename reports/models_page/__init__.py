"""The page that compares several models."""
