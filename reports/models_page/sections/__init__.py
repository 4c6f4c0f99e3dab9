"""The sections of the page of several models, one module each, and the cells that they share."""
