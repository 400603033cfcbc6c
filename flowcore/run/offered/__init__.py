"""The pool of processes, offered to others: calls instead of cells, futures instead of a graph."""
