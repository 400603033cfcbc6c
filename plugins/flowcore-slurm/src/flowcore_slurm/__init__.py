"""Slurm's nodes for a flow: see the README. Owns nothing; the public names of the plugin."""

from flowcore_slurm.options import PilotOptions, Pilots

__all__ = ["PilotOptions", "Pilots"]
