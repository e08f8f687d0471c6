"""The bill of a run: energy, and how much of what was asked for was not given, over whole arrays at once.

Separate from the run because nothing here influences it. Between two decisions there are up to three more events, when
migrations of each duration end; at every event demand is sampled anew, energy is a trapezium between events, and
what was allocated at an event counts until the next one. Sums run in the order in which app VMs arrived, because CloudSim
counts a host as violated where rounding alone makes allocated smaller than asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscaler.core.snapshot import BoolArray, FloatArray, IntArray
from autoscaler.packing.places import Hosts
from autoscaler.sim.cloudsim import facts
from autoscaler.sim.cloudsim.demand import AT_ONCE, Asked, Stretch
from autoscaler.sim.cloudsim.experiment import Diary
from autoscaler.sim.cloudsim.meter import add_up, loads_of

J_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Bill:
    """Of one run. slatah, pdm, unserved: fractions, pooled (see docs/replay.md)."""

    energy_kwh: float
    migrations: int
    slatah: float
    pdm: float
    unserved_fraction: float
    host_hours: float


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Who is where, entry by entry in the order of arrival. at: decision and host as one number; who: decision and app VM."""

    at: IntArray
    who: IntArray
    processor: FloatArray  # MIPS of one processor there

    def __getitem__(self, chosen: BoolArray | IntArray) -> _Entries:
        return _Entries(self.at[chosen], self.who[chosen], self.processor[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Book:
    """A run as flat arrays. `end`: which event ends the migration of a resident (0 = it stays) or a move. `last`: whether
    the app VM stays where this move puts it."""

    hosts: Hosts
    asked: Stretch
    residents: _Entries
    end: IntArray
    moves: _Entries
    move_end: IntArray
    move_decision: IntArray
    last: BoolArray
    capacity: FloatArray  # of each decision and host

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.asked.times), len(self.hosts)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Right at one event. Of hosts, (decisions, hosts): the meter's load, MIPS asked for and given. Of app VMs, (decisions,):
    MIPS not given to those that are leaving (`lost`), and to all where they are served (`short`)."""

    load: FloatArray
    asked: FloatArray
    given: FloatArray
    lost: FloatArray
    short: FloatArray


def settle(hosts: Hosts, asked: Asked, diary: Diary) -> Bill:
    """Work out the bill, a stretch of decisions after the other: what is worked on at once should fit a processor's cache."""
    count, apps = asked.mips.shape
    several = max(1, AT_ONCE // apps)
    parts = [_stretch(hosts, asked, diary, first, min(first + several, count)) for first in range(0, count, several)]
    active_s, violated_s, lost, asked_for, short, energy_j = (float(total) for total in np.sum(parts, axis=0))
    return Bill(
        energy_kwh=energy_j / J_PER_KWH,
        migrations=sum(len(moves) for moves in diary.moves),
        slatah=violated_s / active_s if active_s else 0.0,
        pdm=lost / asked_for if asked_for else 0.0,
        unserved_fraction=short / asked_for if asked_for else 0.0,
        host_hours=active_s / 3600.0,
    )


def _stretch(hosts: Hosts, asked: Asked, diary: Diary, first: int, last: int) -> list[float]:
    """Of decisions `first` to `last`, end excluded: host seconds active and violated; MIPS seconds lost, asked for, short; J."""
    until = np.append(asked.times[1:], np.nan)[first:last]
    book = _open_book(hosts, asked.between(first, last), diary, first, last)
    spans, follows = _spans(book, until)
    # One decision more than there is to bill: energy is a trapezium to the next one.
    nexts = np.array([*diary.load[first + 1 : last + 1], *diary.load[-1:]][: last - first])
    before = np.array([nexts, *(_state(book, event, event - 1).load for event in range(1, len(spans)))])
    present = np.bincount(book.residents.who, minlength=book.asked.mips[0].size).reshape(book.asked.mips[0].shape)
    totals = np.zeros(6)
    for event, span in enumerate(spans):
        state = _state(book, event, event)
        works = state.given > 0
        totals += (
            _over_time(works.sum(axis=1), span),
            _over_time((works & (state.given < state.asked)).sum(axis=1), span),
            _over_time(state.lost, span),
            _over_time((book.asked.mips[event] * present).sum(axis=1), span),
            _over_time(state.short, span),
            _energy(hosts, state.load, before, follows[event], span),
        )
    return totals.tolist()


def _over_time(rate: FloatArray | IntArray, span: FloatArray) -> float:
    """Not `@`: for vectors this short a BLAS library's threads cost more than they give."""
    return float((rate * span).sum())


def full_power_kwh(hosts: Hosts, asked: Asked) -> float:
    """What hosts draw that are always on and never slow down."""
    watts = hosts.curves.draw(hosts.kind, np.ones(len(hosts))).sum()
    return float(watts * asked.times[-1]) / J_PER_KWH


def _open_book(hosts: Hosts, asked: Stretch, diary: Diary, begin: int, until: int) -> _Book:
    """`asked` is of decisions `begin` to `until`, as the book is."""
    count, apps = asked.mips[0].shape
    here, made = diary.residents[begin:until], diary.moves[begin:until]
    decision = np.repeat(np.arange(count), [len(residents) for residents in here])
    app, host = np.concatenate(here), np.concatenate(diary.hosts[begin:until])
    moved = np.repeat(np.arange(count), [len(moves) for moves in made])
    move_app, move_host = np.concatenate(made).T
    residents = _Entries(decision * len(hosts) + host, decision * apps + app, hosts.processor[host])
    moves = _Entries(moved * len(hosts) + move_host, moved * apps + move_app, hosts.processor[move_host])
    end, last = np.zeros(count * apps, dtype=np.int64), np.zeros(count * apps, dtype=np.int64)
    end[moves.who] = asked.duration[move_app]
    last[moves.who] = np.arange(len(move_app))
    return _Book(
        hosts=hosts,
        asked=asked,
        residents=residents,
        end=end[residents.who],
        moves=moves,
        move_end=asked.duration[move_app],
        move_decision=moved,
        last=last[moves.who] == np.arange(len(move_app)),
        capacity=np.tile(hosts.capacity, count),
    )


def _spans(book: _Book, until: FloatArray) -> tuple[list[FloatArray], list[IntArray]]:
    """Per event, (decisions,): how long until the next event, and which that is (0 = the next decision, `until` at last).
    Events that do not take place last 0 s."""
    times = book.asked.times
    at = np.vstack([times, *(times + after_s for after_s in facts.DURATIONS_S)])
    takes_place = np.zeros(at.shape, dtype=np.bool_)
    takes_place[0] = True
    takes_place[book.move_end, book.move_decision] = True
    follows = np.zeros(len(times), dtype=np.int64)
    spans: list[FloatArray] = []
    followers: list[IntArray] = []
    for event in range(len(at) - 1, -1, -1):
        spans.insert(0, np.nan_to_num(np.where(takes_place[event], until - at[event], 0.0)))
        followers.insert(0, follows)
        until = np.where(takes_place[event], at[event], until)
        follows = np.where(takes_place[event], event, follows)
    return spans, followers


def _energy(hosts: Hosts, load: FloatArray, before: FloatArray, follows: IntArray, span: FloatArray) -> float:
    """J of all hosts from one event to the next of each decision; a host that idles at the first draws nothing."""
    decision, host = np.nonzero((load > 0) & (span > 0)[:, None])
    then = before[follows[decision], decision, host]
    first = hosts.curves.draw(hosts.kind[host], np.minimum(load[decision, host], 1.0))
    last = hosts.curves.draw(hosts.kind[host], np.minimum(then, 1.0))
    return _over_time(first + (last - first) / 2, span[decision])


def _state(book: _Book, event: int, ended: int) -> _State:
    """At the time of `event`, migrations that end at event `ended` or before being over."""
    here = (book.end == 0) | (book.end > ended)
    arriving, arrived = np.flatnonzero(book.move_end > ended), np.flatnonzero((book.move_end <= ended) & book.last)
    arrived = arrived[np.argsort(book.move_end[arrived], kind="stable")]
    parts = (book.residents[here], book.moves[arriving], book.moves[arrived])
    entries = _Entries(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Entries.__slots__))
    leaving = np.flatnonzero(book.end[here])
    coming = slice(len(parts[0].at), len(parts[0].at) + len(arriving))
    return _share_out(book, event, entries, leaving, coming)


def _share_out(book: _Book, event: int, entries: _Entries, leaving: IntArray, coming: slice) -> _State:
    """What each gets: where more is required than there is, everybody the same share, in whole MIPS."""
    asked = book.asked.mips[event].ravel()[entries.who]
    given = np.minimum(asked, entries.processor)
    given[coming] *= facts.TARGET_SHARE
    required = add_up(entries.at, given, len(book.capacity))
    over = required > book.capacity
    short = np.flatnonzero(over[entries.at])
    scaled = given[short] * (book.capacity / np.maximum(required, 1.0))[entries.at[short]]
    given[leaving] *= facts.SOURCE_SHARE
    leaves = np.zeros(len(given), dtype=np.bool_)
    leaves[leaving] = True
    given[short] = np.floor(np.where(leaves[short], scaled * facts.SOURCE_SHARE, scaled))
    lost = np.maximum(asked[leaving] - given[leaving], 0.0)
    given[leaving] /= facts.SOURCE_SHARE  # the meter does not see what a migration costs
    used, wanted = (add_up(entries.at, mips, len(book.capacity)).reshape(book.shape) for mips in (given, asked))
    unmetered = given[leaving] * (1 - facts.SOURCE_SHARE)
    lost_there, taken_there = (_by_decision(book, entries.at[leaving], mips) for mips in (lost, unmetered))
    twice = _by_decision(book, entries.at[coming], asked[coming] - given[coming])
    short = (wanted - used).sum(axis=1) - twice + taken_there
    return _State(loads_of(book.hosts, used), wanted, used, lost_there, short)


def _by_decision(book: _Book, at: IntArray, mips: FloatArray) -> FloatArray:
    return add_up(at // book.shape[1], mips, book.shape[0])
