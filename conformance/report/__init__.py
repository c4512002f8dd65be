"""Reports made from the matrix and the recordings."""
