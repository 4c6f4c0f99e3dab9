"""Fine-tune an encoder until fresh attackers read no more than the task gives away."""
