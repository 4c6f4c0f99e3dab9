"""What a pass over rows makes of them: representations, predictions, and who is a copy of whom."""
