"""A run without running: what would be executed, and why."""
