"""How far one driver carries: what a cell costs on each engine, and what a forecast of a cluster is worth."""
