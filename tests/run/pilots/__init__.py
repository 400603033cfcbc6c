"""Claims about run/pilots."""
