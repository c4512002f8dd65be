"""What an answer is, and how vendors say no."""
