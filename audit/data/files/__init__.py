"""How each kind of file that holds rows is read: what it declares is bounded, and nothing in it is run."""
