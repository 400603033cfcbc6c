"""The tests of flowcore; folders mirror the package."""
