"""What a cell has around it while it runs, wherever that is."""
