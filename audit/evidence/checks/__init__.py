"""What is held against evidence: that its figures belong together, and that its files do."""
