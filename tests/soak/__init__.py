"""The soak: random runs on one store, several at once, under kills, damage and edits, beside an oracle."""
