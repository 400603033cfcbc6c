"""Real processes, real signals, at events and never at times."""
