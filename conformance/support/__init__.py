"""From matrix and overrides to the support table, and the comparison of the two. Pure."""
