"""From a client's request to an answer that is in the log before the client has it."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from msgspec import Meta, Struct

from core.clock import monotonic
from core.errors import ConflictError, InvalidInputError, PilothouseError
from core.ids import derived_id, new_id
from core.keys import Caller
from core.releases import Arm
from core.serving import assignment, records
from core.serving.board import Served
from core.serving.durable import Pending
from core.serving.scorer import Input, Score, Scorer
from core.serving.service import Service
from core.serving.spool import Record

log = logging.getLogger("api")
NAMED = datetime(1970, 1, 1, tzinfo=UTC)
"""The moment inside ids that follow from a request_id: the same request must give the same id."""

Answer = dict[str, Any]
Short = Annotated[str, Meta(min_length=1, max_length=100)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,99}\Z")]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Feature = Whole | float | str | bool | None


class ModelFaultError(PilothouseError):
    """The model itself failed on an input that its signature allows."""

    code = "model-fault"


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """One input for one model; exactly one of `message` and `features`.

    The bounds hold where a body is decoded into this.
    """

    message: str | None = None
    features: Annotated[dict[str, Feature], Meta(max_length=500)] | None = None
    entity_id: Short | None = None
    model: Name | None = None
    user_id: Short | None = None
    experiment_name: Short | None = None
    request_id: Short | None = None


class _Ask(Struct):
    """A request on its way: its id, its arm, its checked input, and then its score."""

    request: Request
    id: str
    once: str | None
    served: Served
    arm: Arm
    input: Input
    score: Score | None = None
    latency_ms: float = 0.0


class Begun(Struct):
    """An answer that is written, but may not be given before `pending` is done."""

    answer: Answer
    pending: Pending | None
    ask: _Ask | None  # None: an earlier answer is repeated


def is_quick(service: Service, model: str | None) -> bool:
    """Say whether one answer is short enough for an event loop. Raises: as `predict`."""
    for scorer in service.board.find(model).scorers.values():  # noqa: SIM110 (`any` costs twice it)
        if scorer.slow:
            return False
    return True


def predict(service: Service, caller: Caller, request: Request) -> Answer:
    """Answer one request.

    Raises: InvalidInputError, NotFoundError, ConflictError (a request_id used for another
    request), ModelFaultError, UnavailableError (nothing released, or the log cannot be written).
    """
    begun = begin(service, caller, request)
    if begun.pending is not None:
        begun.pending.result()
    return finish(service, caller, begun)


def begin(service: Service, caller: Caller, request: Request) -> Begun:
    """Answer one request and write it down, without waiting for the disk; then call `finish`.

    Raises: as `predict`.
    """
    now, note, started = service.clock(), service.stages.note, monotonic()
    ask = _prepare(service, caller, request, now)
    if not isinstance(ask, _Ask):
        return Begun(ask, None, None)
    assigned = monotonic()
    note("assign", assigned - started)
    ask.score = score = _score_one(service, ask)
    scored = monotonic()
    note("score", scored - assigned)
    ask.latency_ms = round((scored - assigned) * 1000, 3)
    service.traffic.scored(ask.latency_ms)
    at = records.moment(now)
    pending = service.spool.write((_record(caller, ask, score, at),))
    note("spool", monotonic() - scored)
    return Begun(_answer(ask, score, at), pending, ask)


def finish(service: Service, caller: Caller, begun: Begun) -> Answer:
    """Remember an answer that is durable now, and let shadow versions answer beside it."""
    if begun.ask is not None:
        _after(service, caller, begun.ask, begun.answer)
    return begun.answer


def _score_one(service: Service, ask: _Ask) -> Score:
    scorer = ask.served.scorers[ask.arm.version]
    try:
        return scorer.score_one(ask.input)
    except Exception as fault:  # a model may raise anything; the client hears that it was the model
        log.exception("version %s failed on an input", scorer.version)
        _note_fault(service, ask)
        raise _fault() from fault


def _note_fault(service: Service, ask: _Ask) -> None:
    service.spool.write([records.fault(ask.served, ask.arm, at=service.clock())])


def _fault() -> ModelFaultError:
    return ModelFaultError("the model failed on this input; the log says more")


def predict_all(
    service: Service, caller: Caller, requests: Sequence[Request]
) -> list[Answer | PilothouseError]:
    """Answer each request, or say why not; a bad one never fails the others.

    Raises: UnavailableError (the log cannot be written: then nothing is answered).
    """
    results: dict[int, Answer | PilothouseError] = {}
    asks: dict[int, _Ask] = {}
    named: dict[str, int] = {}  # where a request_id stands first
    repeats: dict[int, int] = {}
    for place, request in enumerate(requests):
        try:
            ready = _prepare(service, caller, request, service.clock())
            if isinstance(ready, _Ask) and ready.once in named:
                repeats[place] = first = named[ready.once]
                _same(requests[first], request)
            elif isinstance(ready, _Ask):
                asks[place] = ready
                named |= {ready.once: place} if ready.once else {}
            else:
                results[place] = ready
        except PilothouseError as problem:
            results[place] = problem
    _score(service, list(asks.values()))
    results |= _log_and_answer(service, caller, asks)
    results = {place: results[first] for place, first in repeats.items()} | results
    return [results[place] for place in range(len(requests))]


def _same(asked: Request, again: Request) -> None:
    """Raise `ConflictError` where one request_id names two requests."""
    if asked != again:
        raise ConflictError("this request_id was used for another request; give a new one")


def _prepare(service: Service, caller: Caller, request: Request, now: datetime) -> _Ask | Answer:
    prediction_id, once = _identity(caller, request, now)
    if once and (earlier := service.replays.get(prediction_id)):
        asked, answer = earlier
        _same(asked, request)
        return dict(answer)
    served = service.board.find(request.model)
    arm = served.arm_for(request.user_id or prediction_id)
    checked = _input(service, request, served, arm)
    return _Ask(request, prediction_id, once, served, arm, checked)


def _identity(caller: Caller, request: Request, now: datetime) -> tuple[str, str | None]:
    """Return the prediction's id, and the key under which it is stored once."""
    if request.request_id is None:
        return new_id(now), None
    named = derived_id(NAMED, caller.key_id, request.request_id)
    return named, named


def _input(service: Service, request: Request, served: Served, arm: Arm) -> Input:
    """Return the input as the arm's version reads it, with what it derives and looks up."""
    task = served.champion.task
    if (request.message is None) == (request.features is None):
        raise InvalidInputError("give either message or features")
    if request.message is None and task == "text":
        raise InvalidInputError("this model reads a message, not features")
    if request.features is None and task != "text":
        raise InvalidInputError("this model reads features, not a message")
    if request.message is not None:
        return served.scorers[arm.version].check(_message(service, request.message))
    return _features(service, request, served, arm)


def _features(service: Service, request: Request, served: Served, arm: Arm) -> Input:
    scorer, given = served.scorers[arm.version], dict(request.features or {})
    if completion := served.completions.get(arm.version):
        given = completion.complete(
            given,
            reads=scorer.features,
            entity_id=request.entity_id,
            known=service.values,
            now=service.clock(),
        )
    return scorer.check(given)


def _message(service: Service, message: str) -> str:
    longest = service.settings.max_message_chars
    if not message.strip():
        raise InvalidInputError("the message is empty")
    if len(message) > longest:
        raise InvalidInputError(f"a message may have at most {longest:,} characters")
    if "\x00" in message:
        raise InvalidInputError("a message may not contain NUL characters")
    return message


def _score(service: Service, asks: Sequence[_Ask]) -> None:
    """Fill in what the versions say, each version asked once for all its inputs."""
    groups: dict[int, list[_Ask]] = defaultdict(list)
    for ask in asks:
        groups[id(ask.served.scorers[ask.arm.version])].append(ask)
    for group in groups.values():
        start = monotonic()
        _score_group(service, group[0].served.scorers[group[0].arm.version], group)
        spent = (monotonic() - start) * 1000 / len(group)
        service.traffic.scored(spent)
        for ask in group:
            ask.latency_ms = round(spent, 3)


def _score_group(service: Service, scorer: Scorer, group: list[_Ask]) -> None:
    try:
        scores = scorer.score([ask.input for ask in group])
    except Exception:  # one input that breaks a pipeline must not take the others with it
        if len(group) > 1:
            for ask in group:
                _score_group(service, scorer, [ask])
            return
        log.exception("version %s failed on an input", scorer.version)
        _note_fault(service, group[0])
        return
    for ask, score in zip(group, scores, strict=True):
        ask.score = score


def _log_and_answer(
    service: Service, caller: Caller, asks: Mapping[int, _Ask]
) -> dict[int, Answer | PilothouseError]:
    results: dict[int, Answer | PilothouseError] = {}
    rows: list[Record] = []
    at = records.moment(service.clock())
    for place, ask in asks.items():
        if ask.score is None:
            results[place] = _fault()
            continue
        rows.append(_record(caller, ask, ask.score, at))
        results[place] = _answer(ask, ask.score, at)
    if rows:
        service.spool.append(rows)  # before anybody has an answer
    for place, ask in asks.items():
        answer = results[place]
        if not isinstance(answer, PilothouseError):
            _after(service, caller, ask, answer)
    return results


def _after(service: Service, caller: Caller, ask: _Ask, answer: Answer) -> None:
    if ask.once:
        service.replays.put(ask.id, ask.request, answer)
    if len(ask.served.arms) > 1:
        for arm in assignment.shadows(ask.served.arms):
            service.shadows.put(partial(_shadow, service, caller, ask, arm, answer["timestamp"]))


def _answer(ask: _Ask, score: Score, at: str) -> Answer:
    return {
        "prediction_id": ask.id,
        "prediction": score.label,
        "label": score.label,
        "confidence": score.confidence,
        "probabilities": score.probabilities,
        "model": ask.served.model,
        "model_version": ask.arm.version,
        "variant": ask.arm.variant,
        "user_id": ask.request.user_id,
        "latency_ms": ask.latency_ms,
        "timestamp": at,
    }


def _record(caller: Caller, ask: _Ask, score: Score, at: str) -> Record:
    served, request = ask.served, ask.request
    return records.prediction(
        score,
        id=ask.id,
        once=ask.once,
        at=at,
        served=served,
        arm=ask.arm,
        input=ask.input,
        latency_ms=ask.latency_ms,
        user_id=request.user_id,
        experiment=request.experiment_name or served.experiment,
        key_id=caller.key_id,
    )


def _shadow(service: Service, caller: Caller, ask: _Ask, arm: Arm, at: str) -> None:
    """Log what a shadow version would have answered to the same request."""
    scorer = ask.served.scorers[arm.version]
    given = _input(service, ask.request, ask.served, arm)
    start = monotonic()
    score = scorer.score_one(given)
    spent = round((monotonic() - start) * 1000, 3)
    beside = _Ask(ask.request, ask.id, ask.once, ask.served, arm, given, score, spent)
    service.spool.append([_record(caller, beside, score, at)])
