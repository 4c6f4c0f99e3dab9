"""Pass, leak or inconclusive: exit codes and the files that a build reads."""
