"""From a client's request to an answer that is in the log before the client has it."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from msgspec import Meta, Struct

from core.clock import monotonic
from core.errors import ConflictError, InvalidInputError, PilothouseError
from core.ids import derived_id, new_ids
from core.keys import Caller
from core.logs import naming
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


_UNANSWERED = PilothouseError("not answered yet")


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


class Asked(Struct, frozen=True):
    """Who asks for what; `name` is how the log calls the request, where no task does."""

    caller: Caller
    request: Request
    name: bytes = b""


class _Ask(Struct):
    """A request on its way: its id, its arm, its checked input, and then its score."""

    asked: Asked
    id: str
    once: str | None
    served: Served
    arm: Arm
    input: Input
    score: Score | None = None
    latency_ms: float = 0.0


class Begun(Struct):
    """Answers that are written, but may not be given before `pending` is done."""

    results: list[Answer | PilothouseError]
    asks: dict[int, _Ask]  # those that are answered now, by their place
    pending: Pending | None = None


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
    (result,) = predict_all(service, caller, [request])
    if isinstance(result, PilothouseError):
        raise result
    return result


def predict_all(
    service: Service, caller: Caller, requests: Sequence[Request]
) -> list[Answer | PilothouseError]:
    """Answer each request, or say why not; a bad one never fails the others.

    Raises: UnavailableError (the log cannot be written: then nothing is answered).
    """
    begun = begin(service, [Asked(caller, request) for request in requests])
    if begun.pending is not None:
        begun.pending.result()
    return finish(service, begun)


def begin(service: Service, every: Sequence[Asked]) -> Begun:
    """Answer what came together and write it down at once, without waiting for the disk.

    Then wait for `pending`, and call `finish`. Raises: as `predict_all`.
    """
    started, note = monotonic(), service.stages.note
    begun, repeats = _prepare_all(service, every)
    asks = begun.asks
    if asks:
        n, assigned = len(asks), monotonic()
        note("assign", (assigned - started) / n, n)
        _score(service, list(asks.values()))
        scored = monotonic()
        note("score", (scored - assigned) / n, n)
        _write(service, begun)
        note("spool", (monotonic() - scored) / n, n)
    for place, first in repeats.items():
        begun.results[place] = begun.results[first]
    return begun


def finish(service: Service, begun: Begun) -> list[Answer | PilothouseError]:
    """Remember what is durable now, and let shadow versions answer beside it."""
    for place, ask in begun.asks.items():
        answer = begun.results[place]
        if not isinstance(answer, PilothouseError):
            _after(service, ask, answer)
    return begun.results


def _prepare_all(service: Service, every: Sequence[Asked]) -> tuple[Begun, dict[int, int]]:
    """Return what can be answered, what cannot, and which repeats a request_id of which."""
    now = service.clock()
    ids = new_ids(now, len(every))
    begun = Begun([_UNANSWERED] * len(every), {})
    named: dict[str, int] = {}  # where a request_id stands first
    repeats: dict[int, int] = {}
    for place, asked in enumerate(every):
        try:
            ready = _prepare(service, asked, ids[place], now)
            if not isinstance(ready, _Ask):
                begun.results[place] = ready
            elif ready.once is not None and ready.once in named:
                repeats[place] = first = named[ready.once]
                _same(every[first].request, asked.request)
            else:
                begun.asks[place] = ready
                if ready.once is not None:
                    named[ready.once] = place
        except PilothouseError as problem:
            repeats.pop(place, None)
            begun.results[place] = problem
    return begun, repeats


def _same(asked: Request, again: Request) -> None:
    """Raise `ConflictError` where one request_id names two requests."""
    if asked != again:
        raise ConflictError("this request_id was used for another request; give a new one")


def _prepare(service: Service, asked: Asked, fresh: str, now: datetime) -> _Ask | Answer:
    request, id, once = asked.request, fresh, None
    if request.request_id is not None:
        id = once = derived_id(NAMED, asked.caller.key_id, request.request_id)
        if earlier := service.replays.get(id):
            before, answer = earlier
            _same(before, request)
            return dict(answer)
    served = service.board.find(request.model)
    arm = served.arm_for(request.user_id or id)
    checked = _input(service, request, served, arm, now)
    return _Ask(asked, id, once, served, arm, checked)


def _input(service: Service, request: Request, served: Served, arm: Arm, now: datetime) -> Input:
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
    return _features(service, request, served, arm, now)


def _features(service: Service, request: Request, served: Served, arm: Arm, now: datetime) -> Input:
    scorer, given = served.scorers[arm.version], dict(request.features or {})
    if completion := served.completions.get(arm.version):
        given = completion.complete(
            given,
            reads=scorer.features,
            entity_id=request.entity_id,
            known=service.values,
            now=now,
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
        rounded = round(spent, 3)
        for ask in group:
            ask.latency_ms = rounded


def _score_group(service: Service, scorer: Scorer, group: list[_Ask]) -> None:
    try:
        scores = scorer.score([ask.input for ask in group])
    except Exception:  # one input that breaks a pipeline must not take the others with it
        if len(group) > 1:
            for ask in group:
                _score_group(service, scorer, [ask])
            return
        with naming(group[0].asked.name):
            log.exception("version %s failed on an input", scorer.version)
        _note_fault(service, group[0])
        return
    for ask, score in zip(group, scores, strict=True):
        ask.score = score


def _note_fault(service: Service, ask: _Ask) -> None:
    service.spool.write([records.fault(ask.served, ask.arm, at=service.clock())])


def _write(service: Service, begun: Begun) -> None:
    """Spell the answers, and write them before anybody has one."""
    rows: list[Record] = []
    at = records.moment(service.clock())
    for place, ask in begun.asks.items():
        if ask.score is None:
            begun.results[place] = ModelFaultError(
                "the model failed on this input; the log says more"
            )
        else:
            rows.append(_record(ask, ask.score, at))
            begun.results[place] = _answer(ask, ask.score, at)
    if rows:
        begun.pending = service.spool.write(rows)


def _after(service: Service, ask: _Ask, answer: Answer) -> None:
    if ask.once:
        service.replays.put(ask.id, ask.asked.request, answer)
    if len(ask.served.arms) > 1:
        for arm in assignment.shadows(ask.served.arms):
            service.shadows.put(partial(_shadow, service, ask, arm, answer["timestamp"]))


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
        "user_id": ask.asked.request.user_id,
        "latency_ms": ask.latency_ms,
        "timestamp": at,
    }


def _record(ask: _Ask, score: Score, at: str) -> Record:
    served, request = ask.served, ask.asked.request
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
        key_id=ask.asked.caller.key_id,
    )


def _shadow(service: Service, ask: _Ask, arm: Arm, at: str) -> None:
    """Log what a shadow version would have answered to the same request."""
    scorer = ask.served.scorers[arm.version]
    given = _input(service, ask.asked.request, ask.served, arm, service.clock())
    start = monotonic()
    score = scorer.score_one(given)
    spent = round((monotonic() - start) * 1000, 3)
    beside = _Ask(ask.asked, ask.id, ask.once, ask.served, arm, given, score, spent)
    service.spool.append([_record(beside, score, at)])
