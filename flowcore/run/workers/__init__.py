"""Worker processes, from both sides: how they are started, chosen, supplied, heard and replaced."""
