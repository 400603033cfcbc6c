"""The page on reliability: its tables are made of the tests' markers and of what their last run came to."""
