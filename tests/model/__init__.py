"""H6: flowcore under random edits, damage and executors, beside an oracle."""
