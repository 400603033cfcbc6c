"""Flows and runs as pictures: laid out, drawn, and written in the languages of other programs."""
