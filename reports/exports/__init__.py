"""The same findings in the forms of other tools: a table, a section of a model card, a PDF."""
