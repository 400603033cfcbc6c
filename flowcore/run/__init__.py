"""Doing it: the engine, what it hands over, and the processes that carry cells out."""
