"""The command line's commands, a module for each topic. `__main__` puts them together."""
