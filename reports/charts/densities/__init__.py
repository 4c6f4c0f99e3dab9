"""Where the rows of each class lie: by the attacker's score, and on a map of the features."""
