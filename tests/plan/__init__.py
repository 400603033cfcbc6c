"""Claims about what is thought before anything runs."""
