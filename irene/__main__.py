"""`python -m irene` is the command `irene`."""

from irene.command import run

run()
