"""Writes dashboards/*.json from panels.py with Grafana's own Foundation SDK: `.venv/bin/python deploy/grafana/dashboards.py`.

A test holds the files to what this writes. Change panels.py, never the JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from panels import BOARDS, Board, Panel  # noqa: E402  a script's neighbour

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
SELECTOR = 'job="flexcapsule",instance=~"$instance"'


def selected(query: str) -> str:
    """The query for the chosen controller."""
    return query.replace("{s,", "{" + SELECTOR + ",").replace("{s}", "{" + SELECTOR + "}")


def target(query: str, legend: str, ref: str, *, exemplars: bool) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().expr(selected(query)).legend_format(legend).ref_id(ref).datasource(SOURCE)
    return asked.exemplar(True) if exemplars else asked


def drawn(panel: Panel) -> Any:
    """A builder of the panel."""
    if panel.stat:
        reduced = common.ReduceDataOptions().calcs(["lastNotNull"])
        built: Any = stat.Panel().reduce_options(reduced).height(4).span(4)
    else:
        built = timeseries.Panel().height(8).span(12).fill_opacity(12 if panel.stacked else 0)
        built = built.legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        if panel.stacked:
            built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    built = built.title(panel.title).unit(panel.unit).datasource(SOURCE)
    if panel.about:
        built = built.description(panel.about)
    for number, (query, legend) in enumerate(panel.curves):
        built = built.with_target(target(query, legend, "ABCDEFGH"[number], exemplars=panel.exemplars))
    return built


def document(board: Board) -> str:
    """The dashboard as JSON."""
    built = dashboard.Dashboard(board.title).uid(board.uid).tags(["flexcapsule"]).refresh("15s").time("now-3h", "now")
    built = built.tooltip(DashboardCursorSync.CROSSHAIR).timezone("browser")
    built = built.with_variable(dashboard.DatasourceVariable("datasource").type("prometheus").label("Prometheus"))
    controllers = dashboard.QueryVariable("instance").label("Controller").datasource(SOURCE)
    controllers = controllers.query('label_values(up{job="flexcapsule"}, instance)')
    controllers = controllers.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).include_all(True)
    built = built.with_variable(controllers)
    built = built.link(
        dashboard.DashboardLink("Other dashboards").type("dashboards").tags(["flexcapsule"]).as_dropdown(True)
    )
    for panel in board.panels:
        built = built.with_panel(drawn(panel))
    return json.dumps(built.build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    for board in BOARDS:
        (HERE / "dashboards" / f"{board.uid}.json").write_text(document(board), "utf-8")


if __name__ == "__main__":
    main()
