"""The sections of a sweep's page, one module each, and the cells that they share."""
