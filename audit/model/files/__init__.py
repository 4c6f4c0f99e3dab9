"""What strangers' files hold: which kind they are, their tensors, and how the names of these fit a model's."""
