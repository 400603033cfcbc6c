"""What the driver runs; each has a session of its own."""
