"""`flexcapsule keys ...`: the cluster's authority and certificates. Wiring and printing only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.adapters.rotation import Trustee

app = typer.Typer(
    name="keys", no_args_is_help=True, rich_markup_mode=None, help="Make, show and rotate the cluster's certificates."
)

KeysPlace = Annotated[Path | None, typer.Option("--keys", metavar="DIR", help="Where they are; var/keys unless given.")]
LabKeys = Annotated[str | None, typer.Option("--lab", metavar="NAME", help="Those of a lab.")]
DEFAULT = Path("var/keys")
DAY_S = 86400.0


@app.command("init", short_help="Make an authority and the controller's certificate.")
def init(keys: KeysPlace = None) -> None:
    """Make an authority and the controller's certificate in an empty place. Nothing is ever overwritten."""
    from autoscaler import keys as held

    place = keys or DEFAULT
    held.init(place)
    print(f"{place}: an authority, and the controller's certificate")
    print(f"next: flexcapsule keys issue NAME ADDRESS... --keys {place}, for each cloud VM")


@app.command("issue", short_help="Make an agent's certificate.")
def issue(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cloud VM's name.")],
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="[ADDRESS]...", help="Where its agent is reached: front, back.")
    ] = None,
    keys: KeysPlace = None,
    lab: LabKeys = None,
) -> None:
    """Make a new key and certificate for the agent of a cloud VM, and say which files to bring there.

    \b
    Example:
      flexcapsule keys issue cloud-7 203.0.113.7 10.0.1.7 cloud-7.back
    """
    from autoscaler import keys as held
    from autoscaler.errors import UsageError

    if not addresses and name != held.CONTROLLER:
        raise UsageError(
            f"where is {name}'s agent reached? name its addresses: `flexcapsule keys issue {name} 10.0.0.7`"
        )
    place = _place(keys, lab)
    made = held.issue(place, name, addresses or [])
    print(f"{made.uri}  {', '.join((*made.dns, *made.addresses))}")
    if name != held.CONTROLLER:
        print("to be brought into /etc/flexcapsule/keys.d there, mode 600:")
        print(f"  {place}/authority.pem  {place}/{name}.pem  {place}/{name}.key")


@app.command("show", short_help="List certificates: who, where, until when.")
def show(keys: KeysPlace = None, lab: LabKeys = None, json: AsJson = False) -> None:
    """List certificates: whose, for which addresses, and how long they are good."""
    import time
    from dataclasses import asdict

    from autoscaler import keys as held
    from autoscaler.cli import show as shown

    place = _place(keys, lab)
    every, authorities = held.every(place), held.trusted(place)
    if json:
        shown.print_json({"trusted_authorities": authorities, "certificates": [asdict(each) for each in every]})
        return
    now = time.time()  # noqa: TID251  how long is left, for a person
    shown.print_table(
        ("who", "reached at", ">days left", "authority"),
        (
            (
                each.uri,
                ", ".join((*each.dns, *each.addresses)),
                f"{(each.expires_at - now) / DAY_S:.0f}",
                "current" if each.current else "old",
            )
            for each in every
        ),
    )
    if authorities > 1:
        print("a rotation is under way, old and new authority are trusted: `flexcapsule keys rotate` finishes it")


@app.command("rotate", short_help="Replace authority and all certificates, without an outage.")
def rotate(
    keys: KeysPlace = None,
    lab: LabKeys = None,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", metavar="NAME=ADDRESS", help="An agent of a cluster that is no lab.")
    ] = None,
) -> None:
    """Replace the authority, the controller's certificate and every agent's, while everything goes on.

    Three rounds over all agents: trust the new authority too; take a new certificate; trust only the new one. A round begins
    when the one before was taken by all. Where one does not answer, nothing is lost: run it again.
    """
    from autoscaler.adapters import rotation

    place = _place(keys, lab)
    rotation.rotate(place, _trustees(lab, agent or []), print)
    print("rotated; the old authority is no longer trusted")


def _place(keys: Path | None, lab: str | None) -> Path:
    from autoscaler.errors import UsageError
    from autoscaler.lab import record

    if lab is None:
        return keys or DEFAULT
    if keys is not None:
        raise UsageError("--keys and --lab: name one of them")
    return record.existing(lab).layout.keys


def _trustees(lab: str | None, agents: list[str]) -> list[Trustee]:
    from autoscaler.adapters.rotation import Trustee
    from autoscaler.cli import app as commands
    from autoscaler.lab import record

    places = commands.named(agents) if lab is None else commands.of_lab(record.existing(lab))
    return [Trustee(place.name, place.front) for place in places]
