"""The page of one audit, or of an audit before and after."""
