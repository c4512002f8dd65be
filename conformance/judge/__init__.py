"""What exchanges show: the dialogue that settles a group of cells, and the verdicts. Pure."""
