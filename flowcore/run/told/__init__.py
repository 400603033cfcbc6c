"""What the journal, observers and messages are told of a run."""
