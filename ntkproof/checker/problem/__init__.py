"""What a certificate is about.

A `Problem` is a domain (``dataset`` or ``sphere``), a ``network`` and a kernel; for statements about finite width
also a ``training`` from a random start, or the ``weights`` it starts from.  Each part has a module that validates it,
reads it
from a certificate and says in a verdict what it is.
"""
