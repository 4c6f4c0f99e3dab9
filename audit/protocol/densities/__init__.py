"""Where the test rows of each class lie, as densities that give nobody away."""
