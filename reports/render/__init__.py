"""Templates, tables and styles that all pages share."""
