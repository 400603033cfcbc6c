"""The pages, and what runs them: every block of every page is executed, or says why it is not.

``python -m tests.site docs/growing.md`` brings the outputs on a page up to date.
"""
