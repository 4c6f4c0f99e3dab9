"""Programs that a stranger saved, TorchScript and torch.export: what they may contain, and taps on their layers."""
