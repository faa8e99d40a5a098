"""Which exit code an error gives, for scripts."""

from __future__ import annotations

from nmc import errors

#: First match counts, so that the narrower classes stand first.
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.UnknownNameError, 2),
    (errors.MissingFileError, 3),
    (errors.DownloadError, 4),
    (errors.ChecksumError, 5),
    (errors.ArchiveError, 5),
    (errors.FormatError, 5),
    (errors.TermsError, 6),
)


def exit_code(error: Exception) -> int:
    """Return the exit code of ``nmc`` for an error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
