"""``ntkproof unpack``: a certificate with its large arrays beside it."""

from ntkproof.commands.pack import repacking

command = repacking(
    "unpack",
    "Write CERTIFICATE again, its arrays in files beside it if they are large. Its proof is not checked; its hashes "
    "stay. What was packed comes back byte by byte, if it gets the name that it had.",
    one_file=False,
)
