"""Making nodes ready to run: what their cells are called with, and what they are keyed by."""
