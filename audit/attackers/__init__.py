"""Who tries to read the private attribute: families of attackers, calibrated and joined."""
