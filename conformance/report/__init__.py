"""Reports made from the matrix and the recordings."""

#: The page's name in the reports folder.
PAGE = "index.html"
