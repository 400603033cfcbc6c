"""Fuzzing: whatever bytes a reader of flowcore is given, it gives a true value or refuses in its own words.

Two million ways to be wrong, and none may cost an exception of another kind, more memory
than a small multiple of the input, or time without bound::

    make fuzz                             a million inputs a reader, two readers at a time
    python -m tests.fuzz records --inputs 20000 --seed 7

`readers.py` lists the readers. Each has a room that says what it is given and what it may
answer (`of_*.py`). `campaign.py` makes inputs of inputs and keeps those that reach new lines;
`child.py` is the process in which that happens, within limits; `found/` holds every input that
ever was a mistake, and is read again by each run of the tests.
"""

import os

# What pyarrow takes by default reserves a gibibyte of addresses at once, which is all that a child may have.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
