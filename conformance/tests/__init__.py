"""Unit and end-to-end tests of the suite itself; left out of the wheel."""
