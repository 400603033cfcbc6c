"""Flows that tasks return, drawn into the run in their place (contract K30)."""
