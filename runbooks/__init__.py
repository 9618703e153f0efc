"""A page for every alert, with executable checks."""
