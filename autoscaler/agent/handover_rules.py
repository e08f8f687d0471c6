"""What each side of a handover may do next, whatever broke before: PURE rules over two durable records, one a side.

Separate because this is the promise (never two copies running; in the end one), and a promise is proved where it stands
alone: tests/unit/agent/test_handover_model.py walks every interleaving of crashes, cuts and restarts through these functions.
No I/O, clock or hypervisor here: handover.py reads the record, looks at the half, asks for a deed, does it, and asks again.

An app VM on its way has two *halves*: the one that leaves and the one that arrives. The leaving side alone may *permit* the
arriving half to start, and notes that durably before it says so; the arriving side notes what it heard before it acts on it.

    leaving   PREPARED --all sent--> PERMITTED --heard "accepted"--> DONE        (its half is destroyed)
                  \\                      \\--heard "revoked", or the other cloud VM is gone--> CANCELLED
                   \\--anything broke---------------------------------------------------------> CANCELLED (its half resumes)
    arriving  ARRIVING --whole, and permitted--> PERMITTED --started--> RUNNING
                  \\--anything broke, or it was asked and had not heard--> REVOKED            (its half is destroyed)

Only PERMITTED on the leaving side can be in doubt; then it asks, until it hears or until the other cloud VM is known dead.
"""

from __future__ import annotations

from enum import StrEnum


class Leaving(StrEnum):
    PREPARED = "prepared"  # the app VM is the leaving side's: nothing has been permitted
    PERMITTED = "permitted"  # the other side may have it: nobody acts before it is known
    DONE = "done"
    CANCELLED = "cancelled"


class Arriving(StrEnum):
    ARRIVING = "arriving"
    PERMITTED = "permitted"  # this side's from now on: it will be started
    RUNNING = "running"
    REVOKED = "revoked"  # never to be started, whatever is heard later


class Half(StrEnum):
    """What the hypervisor shows of a half."""

    ABSENT = "absent"
    RUNNING = "running"
    SUSPENDED = "suspended"  # it has stopped itself, to be saved
    PAUSED = "paused"  # made, and never started
    ENDED = "ended"  # shut down or crashed by itself


class Verdict(StrEnum):
    """What is known of the arriving side: its own word, or that its cloud VM is dead and with it the half."""

    ACCEPTED = "accepted"
    REVOKED = "revoked"
    GONE = "gone"


class Deed(StrEnum):
    """The one next thing to do. NOTE_*: write that state, durably, before anything else is done."""

    NOTE_CANCELLED = "note cancelled"
    NOTE_DONE = "note done"
    NOTE_REVOKED = "note revoked"
    NOTE_RUNNING = "note running"
    ASK = "ask"  # the arriving side for its verdict
    TELL = "tell"  # the arriving side that this is over, so that it can forget
    RESUME = "resume"
    START = "start"
    DESTROY = "destroy"
    REST = "rest"


def leave(state: Leaving, half: Half, verdict: Verdict | None, *, told: bool) -> Deed:
    """The leaving side's next deed, where no transfer of this handover is under way (it broke, or this is a new process)."""
    match state:
        case Leaving.PREPARED:
            return Deed.NOTE_CANCELLED
        case Leaving.PERMITTED:
            if verdict is None:
                return Deed.ASK
            return Deed.NOTE_DONE if verdict is Verdict.ACCEPTED else Deed.NOTE_CANCELLED
        case Leaving.CANCELLED:
            if half is Half.SUSPENDED:
                return Deed.RESUME
        case Leaving.DONE:
            if half is not Half.ABSENT:
                return Deed.DESTROY
    return Deed.REST if told else Deed.TELL


def arrive(state: Arriving, half: Half) -> Deed:
    """The arriving side's next deed, where no transfer of this handover is under way."""
    match state:
        case Arriving.ARRIVING:
            return Deed.NOTE_REVOKED
        case Arriving.PERMITTED:
            return Deed.START if half is Half.PAUSED else Deed.NOTE_RUNNING
        case Arriving.REVOKED:
            return Deed.REST if half is Half.ABSENT else Deed.DESTROY
        case Arriving.RUNNING:
            return Deed.REST


def permit(state: Leaving) -> Leaving:
    """All is sent; whether it came whole the arriving side sees before it notes that it heard. Raises ValueError where the
    handover was cancelled meanwhile."""
    if state is not Leaving.PREPARED:
        raise ValueError(f"a handover that is {state} cannot be permitted")
    return Leaving.PERMITTED


def hear_permission(state: Arriving) -> Arriving:
    """Raises ValueError where it was revoked meanwhile: the permission came too late, and was answered so."""
    if state is not Arriving.ARRIVING:
        raise ValueError(f"a handover that is {state} takes no permission")
    return Arriving.PERMITTED


def release(state: Leaving) -> bool:
    """A new handover of the same app VM begins: the earlier one's record lets go of the half, durably, before that.

    Otherwise the earlier one, cancelled, would see the half suspended by the new one and resume it. Raises ValueError where
    it is not over: then no new one may begin.
    """
    if state in (Leaving.PREPARED, Leaving.PERMITTED):
        raise ValueError(f"a handover of it that is {state} is not over")
    return True


def answer(state: Arriving | None) -> tuple[Arriving, Verdict | None]:
    """What the arriving side says when asked, and the state it must have noted before it says so.

    State None: it knows no such handover; it notes that it refused it, so that no permission can be accepted afterwards.
    Verdict None: not yet. What is permitted will run, but the other half is kept until it does: this cloud VM may die first.
    """
    if state is Arriving.RUNNING:
        return state, Verdict.ACCEPTED
    if state is Arriving.PERMITTED:
        return state, None
    return Arriving.REVOKED, Verdict.REVOKED


def verdict_of(said: Verdict | None, *, boot_then: str, boot_now: str, fenced: bool) -> Verdict | None:
    """A half does not outlive its cloud VM's boot: after another boot, or where the controller vouches for it, it is gone."""
    if fenced or (boot_now and boot_then and boot_now != boot_then):
        return Verdict.GONE
    return said


def told_over(state: Arriving | None, *, done: bool) -> Arriving | None:
    """The leaving side says that this is over: the state to note first; None: nothing to keep. Raises ValueError if it lies."""
    if state in (Arriving.PERMITTED, Arriving.RUNNING):
        if not done:
            raise ValueError("a handover that was accepted cannot be cancelled")
        return state
    if state is Arriving.ARRIVING and done:
        raise ValueError("a handover that was not accepted cannot be done")
    return None if state is None else Arriving.REVOKED
