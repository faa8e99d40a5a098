"""What can go wrong while the book is built, in one clear sentence each."""


class BookError(Exception):
    """The book cannot be built as it stands; the message names the file and the way out."""


class ChapterError(BookError):
    """A chapter failed while it ran; carries the traceback of its failing cell."""
