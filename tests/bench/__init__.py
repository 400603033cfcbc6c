"""Comparisons with peers; run by `make bench`.

Here are: task graphs and their oracle (`graphs.py`), an adapter a peer (`peers/`), the
works and their budgets (`rows/`), who is timed when (`rounds.py`), the search for METG
(`metg.py`), and the table (`table.py`). The tests beside them hold that the harness is
right, and time nothing; budgets are judged by `python -m tests.bench` alone.
"""
