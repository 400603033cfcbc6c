"""Comparisons with peers; run by `make bench`."""
