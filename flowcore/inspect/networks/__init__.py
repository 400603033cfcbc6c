"""Flows and runs as graphs of networkx."""
