"""The command line, by itself and through real processes."""
