"""Parts of a document that name each other: what is named must be there, and once. Separate from forms, which see one part."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from autoscaler.policylang.forms import locate, path_text
from autoscaler.policylang.tree import Node, Source, brief
from autoscaler.policylang.units import nearest

MOST_LISTED = 20
Steps = tuple[int | str, ...]
Misfit = tuple[Steps, str]  # where in the document, and what is wrong there


def refuse_misfits(misfits: Iterable[Misfit], source: Source, root: Node) -> None:
    """Raises PolicyError for the first of `misfits`; `root`: where the document stands in `source`."""
    for steps, message in misfits:
        node, taken = locate(root, steps)
        where = path_text(taken)
        raise source.error(f"{where}: {message}" if where else message, node.line, node.column)


class Cluster(Protocol):
    """What a cluster file and a world file have in common, each in its own types (and with more in them)."""

    @property
    def catalogue(self) -> Sequence[Any]: ...

    @property
    def cloud_vms(self) -> Sequence[Any]: ...

    @property
    def services(self) -> Sequence[Any]: ...

    @property
    def app_vms(self) -> Sequence[Any]: ...


def cluster_misfits(cluster: Cluster) -> Iterator[Misfit]:
    """What may not be in any cluster: a name given twice, a size that is not in the catalogue, bounds the wrong way round."""
    sizes = dict.fromkeys(size.name for size in cluster.catalogue)
    yield from twice("catalogue", "name", (size.name for size in cluster.catalogue))
    for group in ("cloud_vms", "services", "app_vms"):
        yield from twice(group, "id", (part.id for part in getattr(cluster, group)))
    for row, cloud_vm in enumerate(cluster.cloud_vms):
        yield from unknown(("cloud_vms", row, "size"), "size of the catalogue", sizes, cloud_vm.size)
    for row, service in enumerate(cluster.services):
        yield from bounds(("services", row), service.min_replicas, service.max_replicas)


def twice(group: str, key: str, ids: Iterable[str]) -> Iterator[Misfit]:
    """Ids of a list that are there already."""
    seen: set[str] = set()
    for row, id_ in enumerate(ids):
        if id_ in seen:
            yield (group, row, key), f"{brief(id_)} is here twice; expected every {key} once"
        seen.add(id_)


def unknown(steps: Steps, what: str, known: Collection[str], name: str | None) -> Iterator[Misfit]:
    """A name that is not `known` (None: nothing was named)."""
    if name is not None and name not in known:
        listed = ", ".join(list(known)[:MOST_LISTED]) or "none: there is none"
        yield steps, f"{brief(name)} is no {what}; expected one of {listed}{nearest(name, list(known))}"


def bounds(steps: Steps, least: int, most: int) -> Iterator[Misfit]:
    """A service whose fewest replicas are more than its most."""
    if least > most:
        yield (*steps, "min_replicas"), f"{least} is more than max_replicas; expected {most} at most"
