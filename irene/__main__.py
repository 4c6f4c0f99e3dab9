"""`python -m irene` is the command `irene`."""

from irene.command import main

main(prog_name="irene")
