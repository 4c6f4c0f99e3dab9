"""The fine-tuning loop, its batches, its resume file and its choice of an epoch."""
