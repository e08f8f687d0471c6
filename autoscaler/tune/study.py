"""A session: fold by fold, which numbers are tried next, and what came of them, kept so that it can go on where it stopped.

With keeping.py the only module that knows optuna. The same seed gives the same trials whoever does the work and however often it was
interrupted: trials are told in the order in which they were asked for, the next one is asked for when exactly `ahead` are
under way, and its chance comes from (seed, fold, its number) alone. Nothing of a fold is known while an earlier one is tuned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autoscaler.errors import UsageError
from autoscaler.tune.choice import Tried, unbeaten, winner
from autoscaler.tune.folds import Fold, folds
from autoscaler.tune.hands import Hands
from autoscaler.tune.scoring import Score, Task
from autoscaler.tune.session import Session
from autoscaler.tune.space import Dimension

STARTUP = 8  # trials of a fold before the sampler has something to go by
EXPERIENCED = 5  # tries in a row by experience, which knows nothing of what is no policy; then by chance alone
MOST_REFUSED = 200  # numbers in a row that are no policy
SAME, SHARES = "same", "trials"  # attributes of a kept study
Watch = Callable[[Fold, int], None]  # fold, trials of it that are done


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of one fold: its trials that were scored, by number, and the winner."""

    fold: Fold
    tried: tuple[Tried, ...]
    winner: Tried


def tune(session: Session, hands: Hands, storage: Any, watch: Watch) -> list[Tuned]:
    """All folds, one after the other; each begins with the policy as it is and what was best before it."""
    done: list[Tuned] = []
    begin = [_as_it_is(session)]
    for fold in _shared_out(session, storage):
        study = _study(session, storage, fold)
        _run(session, study, fold, begin, hands, partial(watch, fold))
        tried = _tried(session, study)
        best = winner(tried, session.most_unserved_fraction)
        done.append(Tuned(fold, tried, best))
        begin = _first(session, best, tried, fold)
    return done


def _first(session: Session, best: Tried, tried: Sequence[Tried], fold: Fold) -> list[Mapping[str, float]]:
    """What the next fold begins with, each once: half of its trials are left to look elsewhere."""
    known = [_as_it_is(session), best.values, *(one.values for one in unbeaten(tried))]
    return [one for place, one in enumerate(known) if one not in known[:place]][: max(2, fold.trials // 2)]


def _shared_out(session: Session, storage: Any) -> Sequence[Fold]:
    """The folds. Of a kept session that is asked for more trials, the last one gets them: what was chosen before stays."""
    import optuna

    asked = folds(session.folds, session.trials)
    known = {study.study_name: study for study in optuna.get_all_study_summaries(storage)}
    if _name(1) not in known:
        return asked
    attributes = known[_name(1)].user_attrs
    if SAME not in attributes:  # killed right after it began
        return asked
    _refuse_another(session, attributes[SAME])
    shares = list(map(int, attributes[SHARES].split()))
    shares[-1] = max(shares[-1], session.trials - sum(shares[:-1]))
    return tuple(Fold(fold.number, share, fold.before, fold.after) for fold, share in zip(asked, shares, strict=True))


def _refuse_another(session: Session, theirs: Mapping[str, str]) -> None:
    other = [name for name, mine in session.identity.items() if theirs.get(name) != mine]
    if other:
        raise UsageError(
            f"the storage holds another session: its {other[0]} is {theirs.get(other[0], 'unknown')}, here it is "
            f"{session.identity[other[0]]}; name another file with --storage, or delete that one"
        )


def _study(session: Session, storage: Any, fold: Fold) -> Any:
    import optuna

    study = optuna.create_study(
        storage=storage, study_name=_name(fold.number), directions=["minimize"] * 3, load_if_exists=True
    )
    if fold.number == 1 and SAME not in study.user_attrs:
        study.set_user_attr(SHARES, " ".join(str(one.trials) for one in folds(session.folds, session.trials)))
        study.set_user_attr(SAME, dict(session.identity))
    return study


def _name(fold: int) -> str:
    return f"fold {fold}"


def _run(
    session: Session,
    study: Any,
    fold: Fold,
    begin: Sequence[Mapping[str, float]],
    hands: Hands,
    watch: Callable[[int], None],
) -> None:
    """Have the trials that are missing done, and tell what came of each, in order. What is no policy is no trial."""
    told, waiting = _found(session, study)
    under_way = [(trial, hands(_task(session, fold, params))) for trial, params in waiting]
    watch(told)
    while told < fold.trials:
        while len(under_way) < min(session.ahead, fold.trials - told):
            trial, params = _asked(session, study, fold, begin)
            under_way.append((trial, hands(_task(session, fold, params))))
        trial, answer = under_way.pop(0)
        study.tell(trial, list(answer().figures))
        told += 1
        watch(told)


def _whole(session: Session, study: Any) -> list[Any]:
    """All trials but those that a session was killed over while it asked for their numbers: a trial's place here is its
    number, which no interruption changes."""
    from optuna.trial import TrialState

    there = [trial for trial in study.get_trials(deepcopy=False) if trial.state is not TrialState.WAITING]
    return [trial for trial in there if len(trial.params) == len(session.space)]


def _found(session: Session, study: Any) -> tuple[int, list[tuple[int, Mapping[str, float]]]]:
    """How many trials are told already, and those that an interrupted session had under way."""
    from optuna.trial import TrialState

    waiting = []
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if len(trial.params) == len(session.space) and not session.refused(trial.params):
            waiting.append((trial.number, trial.params))
        else:  # killed while it was asked for
            study.tell(trial.number, state=TrialState.FAIL)
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))), waiting


def _asked(
    session: Session, study: Any, fold: Fold, begin: Sequence[Mapping[str, float]]
) -> tuple[int, Mapping[str, float]]:
    """The next trial, kept from now on. Numbers that do not go together are told off and others asked for."""
    from optuna.samplers import RandomSampler, TPESampler
    from optuna.trial import TrialState

    reason = ""
    for turn in range(MOST_REFUSED):
        number = len(_whole(session, study))
        if number < len(begin) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial(dict(begin[number]))
        chance = int(np.random.SeedSequence([session.seed, fold.number, number]).generate_state(1)[0])
        by_experience = TPESampler(seed=chance, n_startup_trials=STARTUP, constant_liar=True)
        study.sampler = by_experience if turn < EXPERIENCED else RandomSampler(seed=chance)
        trial = study.ask({dimension.name: _distribution(dimension) for dimension in session.space})
        reason = session.refused(trial.params)
        if not reason:
            return trial.number, trial.params
        study.tell(trial, state=TrialState.FAIL)
    raise UsageError(
        f"{MOST_REFUSED} tries in a row were no policy, the last: {reason}; give other ranges with --search"
    )


def _task(session: Session, fold: Fold, params: Mapping[str, float]) -> Task:
    return Task(session.text(params), fold.before)


def _as_it_is(session: Session) -> Mapping[str, float]:
    """The policy's own numbers, as far as they are within the stretches; others at the nearest end."""
    return {
        dimension.name: min(max(dimension.number.value, dimension.low), dimension.high)
        if dimension.number.value is not None
        else dimension.low
        for dimension in session.space
    }


def _distribution(dimension: Dimension) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if dimension.whole:
        return IntDistribution(round(dimension.low), round(dimension.high), log=dimension.by_factors)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.by_factors)


def _tried(session: Session, study: Any) -> tuple[Tried, ...]:
    from optuna.trial import TrialState

    return tuple(
        Tried(number, session.rounded(trial.params), *trial.values)
        for number, trial in enumerate(_whole(session, study))
        if trial.state is TrialState.COMPLETE
    )


def judged(session: Session, done: Sequence[Tuned], hands: Hands) -> list[tuple[Score, Score]]:
    """For each fold the policy as it was, and its winner, on the stretch that nothing of it was tuned on."""
    as_it_was = session.written.text({})
    answers = [
        (hands(Task(as_it_was, tuned.fold.after)), hands(Task(session.text(tuned.winner.values), tuned.fold.after)))
        for tuned in done
    ]
    return [(before(), after()) for before, after in answers]
