"""Every error that a person or a client may see.

`api/errors.py` maps each once to HTTP, `app/ui.py` once to words, `core/cli.py` once to exit codes.
"""

from pathlib import Path


class PilothouseError(Exception):
    """Base of all expected errors; the message is one sentence for the person who reads it."""

    code = "refused"


class InvalidInputError(PilothouseError):
    """What was given cannot be used; the sentence says what to give instead."""

    code = "invalid-input"


class TooLargeError(InvalidInputError):
    """What was given is larger than a stated bound."""

    code = "too-large"


class UnauthenticatedError(PilothouseError):
    """Nobody, or nobody we know, is asking."""

    code = "unauthenticated"


class ForbiddenError(PilothouseError):
    """The person, key or service may not do this."""

    code = "forbidden"


class NotFoundError(PilothouseError):
    """The named thing does not exist."""

    code = "not-found"


class ConflictError(PilothouseError):
    """The thing exists, but its state does not allow this now."""

    code = "conflict"


class InProgressError(ConflictError):
    """The same request is being carried out at this moment; its answer can be asked for soon."""

    code = "in-progress"
    retry_after = 2


class UnavailableError(PilothouseError):
    """Something this needs is away for the moment; trying again later is right."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MissingDatabaseError(UnavailableError):
    """The file of the database is not there; `in_full` says where it should be."""

    def __init__(self, path: Path) -> None:
        words = (
            "there is no database at {}; if it was moved, put it back;"
            " for a new installation run `pilothouse init`"
        )
        super().__init__(words.format(path.name))  # clients read it: no folders of this machine
        self.in_full = words.format(path)


class TooManyRequestsError(UnavailableError):
    """The key asks more often than it may."""

    code = "too-many-requests"


def reason(problem: BaseException) -> str:
    """Return why something broke: our own sentence, or the kind of a fault and its words.

    >>> reason(NotFoundError("there is no model x")), reason(KeyError("age"))
    ('there is no model x', "KeyError: 'age'")
    """
    if isinstance(problem, PilothouseError):
        return str(problem)
    return f"{type(problem).__name__}: {str(problem)[:300]}"
