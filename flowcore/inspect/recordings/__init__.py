"""Runs as their journals tell them."""
