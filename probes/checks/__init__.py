"""The protocol checks: one table a document, one row a check, each with its citation."""
