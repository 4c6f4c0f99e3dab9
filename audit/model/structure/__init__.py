"""What a model makes known of itself: its layers, the axes of what they give, and what leaves it."""
