"""Files beside a certificate: plain names in its own folder, of the declared size.

Trusted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.reading import Malformed, contents

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")


def content(name: Any, declared: int, size: int, where: str, folder: Path | None) -> bytes:
    """Return the bytes of a file that has to have ``size`` of them; raises `Malformed`."""
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise Malformed(f"{where}.file: expected a plain file name in the certificate's own folder")
    if declared != size:
        raise Malformed(f"{where}.bytes: {declared} where dtype and shape say {size}")
    if folder is None:
        raise Malformed(f"{where}.file: this certificate has no folder to look for {name} in")
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            raise Malformed(f"{where}.file: {name} is missing or not a regular file")
        if path.stat().st_size != size:
            raise Malformed(f"{where}.file: {name} has {path.stat().st_size} bytes, not {size}")
        return contents(path, size)
    except OSError as error:
        raise Malformed(f"{where}.file: {name} cannot be read: {error.strerror}") from None
