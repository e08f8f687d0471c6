"""`flexcapsule lab ...`: cloud VMs with real Xen on this machine. Wiring and printing only; the work is done in autoscaler/lab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.lab.condition import LabCondition

app = typer.Typer(
    name="lab", no_args_is_help=True, rich_markup_mode=None, help="Run cloud VMs with real Xen on this machine."
)

LabName = Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="Which lab; several can live side by side.")]
CloudVMName = Annotated[str, typer.Argument(metavar="CLOUD_VM", help="cv1, cv2, ...")]
Patience = Annotated[float, typer.Option(metavar="SECONDS", help="How long a cloud VM may take to come up.")]


@app.command("up", short_help="Build the image if need be and start a lab.")
def up(
    name: LabName = "lab",
    cloud_vms: Annotated[int, typer.Option(metavar="N", help="How many cloud VMs.")] = 2,
    cores: Annotated[int, typer.Option(metavar="N", help="Cores of each.")] = 1,
    memory_mib: Annotated[int, typer.Option(metavar="MIB", help="Memory of each, in MiB; 512 is the least.")] = 768,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORESxMIB", help="One cloud VM of this size, again for another; instead of the three above."
        ),
    ] = None,
    accelerator: Annotated[
        Literal["auto", "kvm", "tcg"], typer.Option(help="auto: KVM where it truly boots Xen, else emulation (tcg).")
    ] = "auto",
    hypervisor: Annotated[
        str, typer.Option(metavar="VERSION", help="Of the Xen package: a Debian version, `newest`, or `rebuild`.")
    ] = "",
    boot_loader: Annotated[bool, typer.Option(help="Start as a cloud would, through GRUB (slower).")] = False,
    patience: Patience = 180,
    json: AsJson = False,
) -> None:
    """Start a lab: cloud VMs that boot Xen, joined by a network of their own.

    \b
    Examples:
      flexcapsule lab up
      flexcapsule lab up --name big --cloud-vms 3 --memory-mib 1024
      flexcapsule lab up --size 1x640 --size 2x1024
    """
    import time

    from autoscaler.cli import lab_progress
    from autoscaler.lab import accelerator as accelerators
    from autoscaler.lab import bringup, condition, image

    bringup.require_root()
    wanted = bringup.shapes_of([bringup.read_size(one) for one in size or ()] or [(cores, memory_mib)] * cloud_vms)
    if standing := condition.standing(name, wanted):
        _print_up(standing, "up already", json=json)
        return
    bringup.refuse_existing(name)
    began = time.monotonic()
    with lab_progress.shown("building the cloud VM image", quiet=json) as say:
        built = image.ensure(say, hypervisor=hypervisor)
    with lab_progress.shown("trying KVM", quiet=json) as say:
        chosen = accelerators.choose(accelerator, built, say)
    booting = time.monotonic()
    with lab_progress.interruptible(name), lab_progress.followed(quiet=json) as follow:
        made = bringup.up(
            name, wanted, built=built, accelerator=chosen, follow=follow, patience_s=patience, boot_loader=boot_loader
        )
    image_s, ready_s = booting - began, time.monotonic() - booting
    _print_up(condition.of(made), f"ready in {ready_s:.1f} s (image {image_s:.1f} s)", json=json)


@app.command("status", short_help="Show a lab's cloud VMs and what runs on them.")
def status(name: LabName = "lab", json: AsJson = False) -> None:
    """Show a lab's cloud VMs, their addresses, and the app VMs on each."""
    from autoscaler.cli import show
    from autoscaler.lab import condition, record

    report = condition.of(record.existing(name))
    if json:
        show.print_json(report.document())
        return
    print(f"lab {name}: {report.record.accelerator}, namespace {report.record.layout.namespace}")
    show.print_table(
        ("cloud VM", "state", "address", ">cores", ">MiB", ">free MiB", "app VMs"),
        (
            (
                f"{c.name} ({c.called})" if c.called else c.name,
                c.state,
                c.address,
                str(c.cores),
                str(c.memory_mib),
                str(c.free_mib or "-"),
                ", ".join(c.app_vms) or "-",
            )
            for c in report.cloud_vms
        ),
    )


@app.command("list", short_help="List the labs of this machine.")
def list_labs(json: AsJson = False) -> None:
    """List the labs of this cache directory, half made ones too."""
    from autoscaler.cli import show
    from autoscaler.lab import condition

    found = condition.every()
    if json:
        show.print_json([one.document() for one in found])
    elif not found:
        print("no labs; `flexcapsule lab up` makes one")
    else:
        show.print_table(
            ("lab", "state", ">cloud VMs", ">MiB"),
            ((one.name, one.state, str(one.cloud_vms), str(one.memory_mib)) for one in found),
        )


@app.command(
    "ssh",
    short_help="Run a command on a cloud VM, or log in.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def ssh(
    cloud_vm: CloudVMName,
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="None: an interactive shell.")] = None,
    name: LabName = "lab",
) -> None:
    """Run a command on a cloud VM's management VM, or log in there. Options of ours go before CLOUD_VM.

    \b
    Examples:
      flexcapsule lab ssh cv1
      flexcapsule lab ssh cv1 xl list
      flexcapsule lab ssh --name second cv1 tail -n 3 /var/log/xen/receive.log
    """
    import os

    from autoscaler.lab import reach, record

    argv = reach.ssh_argv(record.existing(name), cloud_vm, words or [])
    os.execvp(argv[0], argv)


@app.command("copy", short_help="Copy files to a cloud VM.")
def copy(
    cloud_vm: CloudVMName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True)],
    to: Annotated[str, typer.Option(metavar="DIR", help="Where to.")] = "/root/",
    name: LabName = "lab",
) -> None:
    """Copy files into a cloud VM's management VM."""
    from autoscaler.lab import reach, record

    reach.copy(record.existing(name), cloud_vm, files, to)


@app.command("console", short_help="Show or join a cloud VM's serial console.")
def console(
    cloud_vm: CloudVMName,
    name: LabName = "lab",
    log: Annotated[bool, typer.Option("--log", help="Print what it has said so far and end.")] = False,
) -> None:
    """Join a cloud VM's serial console; Ctrl-] leaves it. With --log, or when this is no terminal, print it and end."""
    import os
    import sys

    from autoscaler.lab import machine, reach, record

    lab = record.existing(name)
    reach.known(lab, cloud_vm)
    print(machine.console_text(lab.layout, cloud_vm), end="", flush=True)
    if not log and sys.stdin.isatty():
        os.chdir(lab.layout.directory)
        argv = reach.console_argv(cloud_vm)
        os.execvp(argv[0], argv)


@app.command("trip", short_help="Move a Linux app VM there and back, and measure.")
def trip(
    name: LabName = "lab",
    memory_mib: Annotated[int, typer.Option(metavar="MIB", help="The app VM's memory.")] = 128,
    json: AsJson = False,
) -> None:
    """Start the Linux app VM on cv1, live-migrate it to cv2 and back while datagrams and a connection run; print times and sizes."""
    from autoscaler.cli import lab_progress, show
    from autoscaler.lab import record
    from autoscaler.lab import trip as trips

    lab = record.existing(name)
    with lab_progress.shown("moving the Linux app VM", quiet=json) as say:
        moves = trips.there_and_back(lab, memory_mib=memory_mib, say=say)
    if json:
        show.print_json([move.document() for move in moves])
        return
    print(f"Linux app VM of {memory_mib} MiB at {trips.address(lab)}, under {lab.accelerator}:")
    show.print_table(
        ("from", "to", ">total s", ">largest gap s", ">lost", ">on the wire", "connection"),
        (
            (
                m.source,
                m.target,
                f"{m.total_s:.2f}",
                f"{m.gap_s:.2f}",
                f"{m.lost} of {m.sent}",
                f"{m.wire_bytes / 1e6:.1f} MB",
                m.connection,
            )
            for m in moves
        ),
    )
    if any(not move.intact for move in moves):
        raise typer.Exit(1)


@app.command("add", short_help="Add a cloud VM to a running lab.")
def add(
    name: LabName = "lab",
    cores: Annotated[int, typer.Option(metavar="N", min=1, help="Its cores.")] = 1,
    memory_mib: Annotated[int, typer.Option(metavar="MIB", help="Its memory, in MiB; 512 is the least.")] = 768,
    called: Annotated[
        str, typer.Option(metavar="NAME", help="A second name for it; asked for again, it is not made again.")
    ] = "",
    patience: Patience = 180,
    json: AsJson = False,
) -> None:
    """Add one cloud VM to a running lab and wait until it answers. Killed meanwhile, the same --called goes on with it.

    \b
    Examples:
      flexcapsule lab add --name big --memory-mib 1024
    """
    import time
    from dataclasses import asdict

    from autoscaler.cli import lab_progress, show
    from autoscaler.lab import expansion, record
    from autoscaler.lab.layout import ordinal

    began = time.monotonic()
    with lab_progress.followed(quiet=json) as follow:
        made = expansion.add(name, cores, memory_mib, called=called, follow=follow, patience_s=patience)
    address = record.existing(name).layout.front(ordinal(made.name))
    if json:
        show.print_json({**asdict(made), "address": address})
        return
    print(f"lab {name}: {made.name}  {address}  ready in {time.monotonic() - began:.1f} s")


@app.command("remove", short_help="Remove one cloud VM of a running lab.")
def remove(cloud_vm: CloudVMName, name: LabName = "lab") -> None:
    """Remove one cloud VM, with the app VMs on it; the rest of the lab goes on. CLOUD_VM may be its second name."""
    from autoscaler.lab import expansion, record

    own = expansion.named(record.existing(name), cloud_vm)
    expansion.remove(name, own)
    print(f"lab {name}: {own} removed")


@app.command("down", short_help="Remove a lab and everything of it.")
def down(
    name: LabName = "lab",
    everything: Annotated[bool, typer.Option("--all", help="Every lab of this cache directory.")] = False,
) -> None:
    """Remove a lab whole: processes, namespace, interfaces, mounts, files; also what a crash left of it."""
    from autoscaler.lab import bringup, record, teardown

    bringup.require_root()
    labs = record.names() if everything else [name]
    if not labs:
        print("no labs: nothing to remove")
    for lab in labs:
        removed = teardown.down(lab, say=lambda text: typer.echo(text, err=True))
        print(f"lab {lab}: removed" if removed else f"lab {lab}: nothing to remove")


def _print_up(report: LabCondition, how: str, *, json: bool) -> None:
    from autoscaler.cli import show

    if json:
        show.print_json({**report.document(), "how": how})
        return
    made = report.record
    print(f"lab {made.name}: {show.counted(len(made.cloud_vms), 'cloud VM')} {how}, {made.accelerator}")
    for cloud_vm in report.cloud_vms:
        print(f"  {cloud_vm.name}  {cloud_vm.address}  {cloud_vm.libvirt_uri}")
    print(
        f"next: flexcapsule lab ssh --name {made.name} {made.cloud_vms[0].name}; flexcapsule lab down --name {made.name}"
    )
