"""A run on one page of HTML that needs nothing else: the graph, the timeline, what failed and why, where time went."""
