"""Text and JSON that somebody else wrote."""
