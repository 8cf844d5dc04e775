"""Where the command line begins and ends: interruptions, what becomes of errors, and exit codes.

Imports next to nothing, so that an interruption finds it ready.  Errors are one line on stderr.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO

EXITS = {  # `check` exits with the last of those of its files, in this order
    0: "done; with `check`: every certificate is valid",
    3: "a proof is complete but for a step that was assumed (holey)",
    1: "a proof is wrong (invalid); with `claims`: a verdict has changed",
    2: "not a certificate (malformed), unusable input or wrong usage",
    71: "out of memory: nothing is said",
    70: "an error in ntkproof itself: nothing is said; `NTKPROOF_DEBUG=1` shows where",
    74: "a file or the standard output cannot be written, because the disk is full or fails",
    130: "interrupted; nothing half-written",
    141: "the standard output was closed before all was printed, as by `head`",
}
INTERRUPTED = "interrupted; nothing half-written"
DEBUG = "NTKPROOF_DEBUG"
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.ENXIO)
GRACE = 3.0  # seconds to clean up in before an interruption counts again

_interrupted: list[float] = []  # when


def main() -> NoReturn:
    """Run the command line as a process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it is ignored in the background of a script
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _swallowed
    code = run(sys.argv[1:])
    if _interrupted:  # inside exec, as of a dataclass, Python remembers it and would end by the signal
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; what goes wrong is one line on stderr."""
    try:
        _one_blas_thread()
        _encodable(sys.stdout, sys.stderr)
        code, message = _command(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        _deaf()
    except BaseException as error:
        _deaf()
        if os.environ.get(DEBUG):
            sys.excepthook(type(error), error, error.__traceback__)
        code, message = _explained(error)
    if _interrupted:  # whatever a library has made of it
        code, message = 130, INTERRUPTED
    if message and sys.stderr is not None:
        with suppress(OSError):
            from ntkproof.show.lines import shown

            print("ntkproof: error: " + shown(" ".join(message.split())), file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        _end(stream)
    return code


def _command(arguments: list[str]) -> tuple[int, str]:
    """Run a command; return its exit code, and what is wrong with its arguments."""
    import click

    from ntkproof.commands.main import cli

    try:
        # not cli.main: it prints an empty line of its own when interrupted
        with cli.make_context("ntkproof", arguments) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code, ""
    except click.ClickException as error:
        return 2, error.format_message()
    except SystemExit as done:
        return int(done.code or 0), ""
    return 0, ""


def _explained(error: BaseException) -> tuple[int, str]:
    """Return the exit code of an error, and a message."""
    text = str(error)[:1000]
    if isinstance(error, KeyboardInterrupt):
        return 130, INTERRUPTED
    if isinstance(error, MemoryError):
        return 71, f"out of memory: {text}" if text else "out of memory"
    if isinstance(error, BrokenPipeError):
        return 141, "the output was closed before all was printed"
    if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
        return 74, f"the standard output cannot be written: {error.strerror}"
    if isinstance(error, ValueError):
        from ntkproof.checker.logic.numbers import InputError

        if isinstance(error, InputError):
            cause = error.__context__
            return 74 if isinstance(cause, OSError) and cause.errno in FULL else 2, text
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" ({os.path.basename(where.tb_frame.f_code.co_filename)}, line {where.tb_lineno})" if where else ""
    return 70, f"an error in ntkproof itself: {type(error).__name__}: {text}{place}; {DEBUG}=1 shows more"


def _end(stream: TextIO | None) -> None:
    """Write what a stream still holds; if it cannot be written, see that the exit does not try again."""
    if stream is not None and not stream.closed:
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _encodable(*streams: TextIO | None) -> None:
    """Let no character be an error: what an encoding lacks is written in ASCII, what has no character is escaped."""
    for stream in streams:
        if not isinstance(stream, TextIOWrapper):
            continue
        if stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="backslashreplace")
        else:
            from ntkproof.show.ascii import fall_back

            fall_back(stream)


def _one_blas_thread() -> None:
    """Keep BLAS, which NumPy has not loaded yet, to one thread unless the environment says how many.

    On a busy machine two of them wait for each other: ten times slower; on an idle one they gain a sixth.
    """
    if not any(name in os.environ for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))


def _interrupt(number: int, frame: Any) -> None:
    """Raise KeyboardInterrupt, unless it was just raised: cleaning up is not to be interrupted by a second one."""
    if not _interrupted or time.monotonic() - _interrupted[-1] > GRACE:
        _interrupted.append(time.monotonic())
        raise KeyboardInterrupt


def _deaf() -> None:
    """Let no interruption disturb the end."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _swallowed(unraisable: Any) -> None:
    """Interrupt again if the KeyboardInterrupt was raised where Python drops exceptions: in a callback of an import."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    from threading import Timer, main_thread

    _interrupted.clear()
    if hasattr(signal, "pthread_kill"):  # wakes a thread that waits
        Timer(0.01, signal.pthread_kill, (main_thread().ident, signal.SIGINT)).start()
    else:
        Timer(0.01, signal.raise_signal, (signal.SIGINT,)).start()
