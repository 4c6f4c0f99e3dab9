"""Evidence read, checked and compared, before anything is drawn."""
