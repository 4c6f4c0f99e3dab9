"""Fine-tune an encoder so that less of a private attribute can be read at its bottleneck."""
