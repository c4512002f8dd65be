"""Will my agent work? A matrix and the requests that real clients were seen to send make a forecast. No I/O.

`shapes` says what a run asks about on an endpoint, `needs` what a client's request is made of, `forecast`
what the cells of a model make of it, and `section` puts all of that into the matrix.
"""
