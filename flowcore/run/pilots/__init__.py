"""Workers that take messages out of a box on a shared filesystem."""
