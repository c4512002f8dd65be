"""The matrix: the document, its packed form, and two of them compared. Pure."""
