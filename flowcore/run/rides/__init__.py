"""Cells that are handed out before their inputs are there (contract W5b)."""
