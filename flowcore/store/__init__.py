"""What flowcore keeps on disk, and the only package that touches the disk.

Arrays live in files named by their digest (`blobs`), everything else in append-only
journals (`journal`). An index in memory (`index`) finds a key's record; `cache` says
whether a cell has to run. Nothing is ever changed in place.
"""
