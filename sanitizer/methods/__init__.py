"""Ways to remove a private attribute from a bottleneck, one file each."""
