"""Looking: reads graphs, plans and journals, and never runs anything."""
