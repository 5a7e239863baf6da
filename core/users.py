"""People: their accounts, their passwords (bcrypt) and their sign-ins.

A sign-in is a row on the server, so that it can be ended from anywhere; the browser and the command
line hold only a random token, the database only its SHA-256.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import bcrypt
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.access import Actor, Kind, Role
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError
from core.tables.access import User
from core.tables.operational import PersonSession, SignInCounter

MAX_FAILURES = 5
LOCK = timedelta(minutes=5)
ROUNDS = 12  # of bcrypt: 2**12
MIN_PASSWORD, MAX_PASSWORD_BYTES = 10, 72  # bcrypt reads 72 bytes
WRONG = (
    "That name and password do not fit together. "
    f"After {MAX_FAILURES} wrong tries a name is locked for {LOCK.seconds // 60} minutes."
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEEP_ENDED = timedelta(days=30)
_UNKNOWN_COUNTERS = 1024  # names nobody has share these, so that guessing cannot fill the table


def create(db: Database, actor: Actor, *, name: str, role: Role | str, password: str) -> User:
    """Add a person.

    Raises: ForbiddenError; InvalidInputError (name, role or password); ConflictError (name taken).
    """
    name, role = clean_name(name), _role(role)
    with db.command(actor, "user.create") as command:
        command.note(user=name, role=role)
        _check_name(name)
        if command.session.get(User, name):
            raise ConflictError(f"there is a user {name} already")
        user = User(
            name=name,
            role=role,
            password_hash=_hash(password),
            active=True,
            created_at=command.now,
        )
        command.session.add(user)
        return user


def clean_name(name: str) -> str:
    """Return the one spelling of a person's name.

    >>> clean_name(" Ana ")
    'ana'
    """
    return name.strip().lower()


def check(db: Database, name: str, password: str) -> User:
    """Return the person whose name and password these are; takes as long when nobody has the name.

    The try is counted before the password is looked at, so that many at once cannot slip past the
    lock; a right password clears the count.

    Raises: UnauthenticatedError, always with the same sentence.
    """
    name = clean_name(name)
    with db.read() as session:
        user = session.get(User, name[:200])
    counter = name if user else _shared_counter(name)
    free = _count_try(db, counter)
    fits = _fits(password, user.password_hash if user and user.active else None)
    if not (free and fits and user and user.active):
        raise UnauthenticatedError(WRONG)
    with db.keep() as session:
        session.execute(delete(SignInCounter).where(SignInCounter.name == counter))
    return user


def _shared_counter(name: str) -> str:
    slot = int.from_bytes(hashlib.sha256(name.encode(errors="replace")).digest()[:4])
    return f"?{slot % _UNKNOWN_COUNTERS}"


def _count_try(db: Database, counter: str) -> bool:
    """Count one try; False while the name is locked."""
    try:
        return _count_once(db, counter)
    except IntegrityError:  # two first tries at the same moment: now the row is there
        return _count_once(db, counter)


def _count_once(db: Database, counter: str) -> bool:
    now = db.clock()
    with db.keep() as session:
        row = session.get(SignInCounter, counter, with_for_update=True)
        if row is None:
            row = SignInCounter(name=counter, failures=0, locked_until=None)
            session.add(row)
        if row.locked_until and row.locked_until > now:
            return False
        row.failures = 1 if row.locked_until else row.failures + 1
        row.locked_until = now + LOCK if row.failures >= MAX_FAILURES else None
        return True


def start_session(db: Database, user: User, *, via: str, hours: float) -> str:
    """Sign a checked person in and return the token, which is shown nowhere else.

    Raises: ForbiddenError (the account was switched off meanwhile).
    """
    token = secrets.token_urlsafe(32)
    with db.command(Actor(user.name, Role(user.role)), "session.start") as command:
        command.note(via=via)
        command.session.add(
            PersonSession(
                token_hash=_digest(token),
                user=user.name,
                via=via,
                created_at=command.now,
                expires_at=command.now + timedelta(hours=hours),
            )
        )
        old = PersonSession.expires_at < command.now - _KEEP_ENDED
        command.session.execute(delete(PersonSession).where(old))
    return token


def by_session(db: Database, token: str) -> Actor | None:
    """Return who is signed in with `token`; None when it ended, expired or never was."""
    with db.read() as session:
        row = session.get(PersonSession, _digest(token))
        if row is None or row.ended_at or row.expires_at <= db.clock():
            return None
        user = session.get(User, row.user)
        return Actor(user.name, Role(user.role)) if user and user.active else None


def end_session(db: Database, token: str) -> None:
    """Sign out; a sign-in that has ended already stays so."""
    actor = by_session(db, token)
    if actor is None:
        return
    with db.command(actor, "session.end") as command:
        _end(command, PersonSession.token_hash == _digest(token))


def end_all_sessions(db: Database, actor: Actor, name: str | None = None) -> int:
    """Sign a person out everywhere (oneself, unless an admin names another); returns how many.

    Raises: ForbiddenError.
    """
    whose = clean_name(name or actor.name)
    with db.command(actor, _own_or(actor, whose, "session.end")) as command:
        ended = _end_everywhere(command, whose)
        command.note(user=whose, sign_ins=ended)
        return ended


def change_password(db: Database, actor: Actor, name: str, *, old: str, new: str) -> None:
    """Set one's own password and end all sign-ins, so that a stolen one ends too.

    Raises: UnauthenticatedError (`old` is wrong); InvalidInputError (`new`); ForbiddenError.
    """
    check(db, name, old)
    own = _own_or(actor, clean_name(name), "user.password")
    with db.command(actor, own) as command:
        _set_password(command, name, new)


def reset_password(db: Database, actor: Actor, name: str, *, new: str) -> None:
    """Set somebody's password without the old one, and end their sign-ins.

    Raises: ForbiddenError; NotFoundError; InvalidInputError.
    """
    with db.command(actor, "user.change") as command:
        _set_password(command, name, new)


def set_role(db: Database, actor: Actor, name: str, role: Role | str) -> User:
    """Give a person another role; it counts from their next command on, and voids their tokens.

    Raises: ForbiddenError; NotFoundError; InvalidInputError; ConflictError (the last admin).
    """
    role = _role(role)
    with db.command(actor, "user.change") as command:
        _hold_admins(command.session)
        user = _user(command.session, name)
        command.note(user=user.name, before=user.role, after=role)
        user.role = role
        _void_tokens(command, user.name)
        _keep_one_admin(command.session)
        return user


def set_active(db: Database, actor: Actor, name: str, *, active: bool) -> User:
    """Switch an account on, or off and sign it out everywhere.

    Raises: ForbiddenError; NotFoundError; ConflictError (the last admin).
    """
    with db.command(actor, "user.change") as command:
        _hold_admins(command.session)
        user = _user(command.session, name)
        command.note(user=user.name, active=active)
        user.active = active
        _keep_one_admin(command.session)
        if not active:
            _end_everywhere(command, user.name)
        return user


def all(session: Session) -> list[User]:
    """Return everybody, by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def last_sign_ins(session: Session) -> dict[str, datetime]:
    """Return when each person last signed in; who never did is missing."""
    query = select(PersonSession.user, func.max(PersonSession.created_at))
    return {name: at for name, at in session.execute(query.group_by(PersonSession.user))}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a token of a person is checked against."""

    role: Role
    epoch: int  # tokens of earlier epochs are void


def standings(session: Session) -> dict[str, Standing]:
    """Return every active person's standing, for the memory of an api process."""
    query = select(User.name, User.role, User.token_epoch).where(User.active)
    return {name: Standing(Role(role), epoch) for name, role, epoch in session.execute(query)}


def _own_or(actor: Actor, whose: str, own_action: str) -> str:
    """Name the action: one's own business, or that of somebody who may change users."""
    is_own = actor.kind is Kind.PERSON and actor.name == whose
    return own_action if is_own or actor.kind is Kind.LOCAL else "user.change"


def _set_password(command: Command, name: str, new: str) -> None:
    user = _user(command.session, name)
    command.note(user=user.name)
    user.password_hash = _hash(new)
    _end_everywhere(command, user.name)


def _end_everywhere(command: Command, name: str) -> int:
    _void_tokens(command, name)
    return _end(command, PersonSession.user == name)


def _void_tokens(command: Command, name: str) -> None:
    """Void the tokens that were issued so far; added up by the database, so none gets lost."""
    later = update(User).where(User.name == name).values(token_epoch=User.token_epoch + 1)
    command.session.execute(later)


def _end(command: Command, *which: object) -> int:
    running = (PersonSession.ended_at.is_(None), PersonSession.expires_at > command.now)
    ended = command.session.execute(
        update(PersonSession)
        .where(*which, *running)  # type: ignore[arg-type]
        .values(ended_at=command.now)
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _user(session: Session, name: str) -> User:
    if user := session.get(User, clean_name(name)):
        return user
    raise NotFoundError(f"there is no user {clean_name(name)}")


def _hold_admins(session: Session) -> None:
    """Lock the admins' rows, in one order, so that of two changes at once one sees the other."""
    query = select(User).filter_by(role=Role.ADMIN, active=True).order_by(User.name)
    session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def _keep_one_admin(session: Session) -> None:
    session.flush()
    query = select(func.count()).select_from(User).filter_by(role=Role.ADMIN, active=True)
    if not session.scalar(query):
        raise ConflictError("this is the last active admin; make somebody else admin first")


def _role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError:
        known = ", ".join(Role)
        raise InvalidInputError(f"{role!r} is no role; choose one of {known}") from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "a user's name has 1 to 64 letters, digits, dots, dashes or underscores, "
            "and starts with a letter or a digit"
        )


def _hash(password: str) -> str:
    if password != password.strip():
        raise InvalidInputError("a password must not start or end with a space")
    if len(password) < MIN_PASSWORD:
        raise InvalidInputError(f"a password needs at least {MIN_PASSWORD} characters")
    try:
        content = password.encode()
    except UnicodeEncodeError:
        raise InvalidInputError("a password must be readable text") from None
    if len(content) > MAX_PASSWORD_BYTES or b"\0" in content:
        raise InvalidInputError(f"a password has at most {MAX_PASSWORD_BYTES} bytes")
    return bcrypt.hashpw(content, bcrypt.gensalt(ROUNDS)).decode()


def _fits(password: str, password_hash: str | None) -> bool:
    """Compare in the same time whether there is a hash or not."""
    given = password.encode(errors="replace")[: MAX_PASSWORD_BYTES + 1]
    usable = len(given) <= MAX_PASSWORD_BYTES and b"\0" not in given
    is_hash = password_hash is not None and password_hash.startswith("$2")
    against = password_hash if is_hash and password_hash else _dummy_hash()
    return bcrypt.checkpw(given if usable else b"-", against.encode()) and is_hash and usable


@cache
def _dummy_hash() -> str:
    """Return a hash of a password nobody has, for people nobody knows."""
    return bcrypt.hashpw(secrets.token_bytes(32).hex().encode(), bcrypt.gensalt(ROUNDS)).decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
