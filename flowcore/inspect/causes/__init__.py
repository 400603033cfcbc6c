"""Why a cell runs, and in what two cells differ."""
