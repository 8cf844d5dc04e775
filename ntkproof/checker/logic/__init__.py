"""What a certificate is and how it is replayed: exact numbers, the format, claims, rules.  Knows no theorem."""
