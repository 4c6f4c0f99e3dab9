"""What the evidence of an audit supports, article by article: a dated data file and the code that reads it."""
