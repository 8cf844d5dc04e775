"""What can be asked: one module a statement, and the table that lists them.  Untrusted."""
