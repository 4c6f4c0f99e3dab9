"""Methods that keep a model from learning its task by a bias: the attribute is what they treat as the bias."""
