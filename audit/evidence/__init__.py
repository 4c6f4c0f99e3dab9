"""What is written down: the JSON contract between the packages, and what may be concluded from it."""
