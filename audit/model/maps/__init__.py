"""What may stand at the bottleneck of a sanitized model."""
