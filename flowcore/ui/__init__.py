"""A local page that follows the runs of a store, live and over. Made by `flowcore ui`, and by nothing else."""
