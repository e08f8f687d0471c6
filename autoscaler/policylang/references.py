"""Parts of a document that name each other: what is named must be there, and once. Separate from forms, which see one part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autoscaler.policylang.forms import locate, path_text
from autoscaler.policylang.tree import Node, Source, brief
from autoscaler.policylang.units import nearest

Misfit = tuple[tuple[int | str, ...], str]  # where in the document, and what is wrong there


def refuse_misfits(misfits: Iterable[Misfit], source: Source, root: Node) -> None:
    """Raises PolicyError for the first of `misfits`; `root`: where the document stands in `source`."""
    for steps, message in misfits:
        node, taken = locate(root, steps)
        where = path_text(taken)
        raise source.error(f"{where}: {message}" if where else message, node.line, node.column)


def twice(group: str, key: str, ids: Sequence[str]) -> Iterator[Misfit]:
    seen: set[str] = set()
    for row, id_ in enumerate(ids):
        if id_ in seen:
            yield (group, row, key), f"{brief(id_)} is here twice; expected every {key} once"
        seen.add(id_)


def unknown(steps: tuple[int | str, ...], name: str, what: str, known: Sequence[str]) -> Iterator[Misfit]:
    if name not in known:
        yield (
            steps,
            f"{brief(name)} is no {what}; expected one of {', '.join(known[:20]) or 'none: there is none'}{nearest(name, known)}",
        )
