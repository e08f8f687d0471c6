"""What the dashboards show: one line per curve. Separate from dashboards.py, which knows how Grafana wants it written.

`{s}` in a query stands for the selector of the chosen controller; RATE for the range that Grafana reckons with.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """`curves`: (query, legend). `unit`: Grafana's name of it. `stat`: the newest value as a number; else curves over time.
    `exemplars`: with a dot for each bucket's newest value, which names its app VM, step and decision."""

    title: str
    unit: str
    curves: tuple[tuple[str, str], ...]
    about: str = ""
    stat: bool = False
    stacked: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    uid: str
    title: str
    panels: tuple[Panel, ...]


def curve(
    title: str, unit: str, *curves: tuple[str, str], about: str = "", stacked: bool = False, exemplars: bool = False
) -> Panel:
    return Panel(title, unit, curves, about, stacked=stacked, exemplars=exemplars)


def number(title: str, unit: str, query: str, about: str = "") -> Panel:
    return Panel(title, unit, ((query, ""),), about, stat=True)


def quantile(share: float, histogram: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le{by}) (rate({histogram}_bucket{{s}}[{RATE}])))"


OVERVIEW = Board("flexcapsule-overview", "FlexCapsule: Overview", (
    number("Price per hour", "short", "flexcapsule_price_per_hour{s}", "In the catalogue's currency."),
    number("Saved against the peak", "percentunit", "flexcapsule:saved:ratio{s}",
           "Against renting all the time what the most expensive moment of the last 7 days had."),
    number("Spent since the journal began", "short", "flexcapsule_cost_total{s}"),
    number("App VMs", "short", "sum(flexcapsule_app_vms{s})"),
    number("Cloud VMs", "short", "sum(flexcapsule_cloud_vms{s})"),
    number("Stuck", "short", "flexcapsule_stuck_subjects{s}", "Wait for a person: see the runbook FlexCapsuleStuck."),
    curve("CPU: demand met and capacity", "cores",
          ("sum(flexcapsule_cpu_usage_cores{s})", "used"), ("sum(flexcapsule_cpu_capacity_cores{s})", "rented")),
    curve("Price per hour", "short",
          ("flexcapsule_price_per_hour{s}", "now"), ("flexcapsule:price_per_hour:max7d{s}", "peak of 7 days")),
    curve("Demand not served", "percentunit", ("flexcapsule:unserved_demand:ratio_rate5m{s}", "unserved"),
          ("flexcapsule_regret_unserved_ratio{s}", "lost to policy, newest hour"),
          about="Simulated clusters only: a real one cannot tell what it did not get. There, watch the services' CPU. Lost to policy: "
          "what the services' limits would have allowed to serve."),
    curve("Regret: paid beyond what a clairvoyant would have", "short", ("flexcapsule_regret_price_per_hour{s}", "newest hour"),
          about="Of each full hour just past. The bound moves app VMs for free and at once: nobody can reach zero. Negative: less was "
          "rented than serving all demand takes."),
    curve("Actions granted", "cps", (f'sum by (action) (rate(flexcapsule_actions_total{{s,outcome="granted"}}[{RATE}]))', "{{action}}"),
          stacked=True),
    curve("Gap of plans to their lower bound", "percentunit", ("flexcapsule_plan_gap_ratio{s}", "gap"),
          about="NaN while no plan carried a certificate."),
    curve("Health", "short", ("up{s}", "answers"), ("flexcapsule_stuck_subjects{s}", "stuck"),
          ("flexcapsule_paused_subjects{s}", "paused"), ("flexcapsule_oscillating_subjects{s}", "oscillating")),
))  # fmt: skip

DECISIONS = Board("flexcapsule-decisions", "FlexCapsule: Decisions", (
    curve("Decisions", "cps", (f"sum by (outcome) (rate(flexcapsule_decisions_total{{s}}[{RATE}]))", "{{outcome}}"),
          about="Abstained: nothing was even proposed. Each one's reason is on the status page, and in `flexcapsule explain`."),
    curve("What came of the wishes", "cps", (f"sum by (outcome) (rate(flexcapsule_actions_total{{s}}[{RATE}]))", "{{outcome}}")),
    curve("Denied, by guard", "cps", (f"sum by (guard) (rate(flexcapsule_denials_total{{s}}[{RATE}]) > 0) or sum(rate(flexcapsule_denials_total{{s}}[{RATE}]))", "{{guard}}"),
          about="The first guard of each denied wish, those that denied something; without a name: none did, or all together.", stacked=True),
    curve("Denied for quiet time", "cps",
          (f'rate(flexcapsule_denials_total{{s,guard="cooldown"}}[{RATE}])', "cooldown"),
          (f'rate(flexcapsule_denials_total{{s,guard="stabilization"}}[{RATE}])', "stabilization")),
    curve("Budgets used", "percentunit", ("flexcapsule_budget_used_ratio{s}", "{{budget}}"), about="At 100 % the next wish is denied."),
    curve("Granted, by action", "cps", (f'sum by (action) (rate(flexcapsule_actions_total{{s,outcome="granted"}}[{RATE}]))', "{{action}}")),
    curve("Denied, by action", "cps", (f'sum by (action) (rate(flexcapsule_actions_total{{s,outcome="denied"}}[{RATE}]))', "{{action}}")),
    number("Newest decision that acted", "none", 'flexcapsule_decision_number{s,which="acting"}',
           "Its number: `flexcapsule explain 118` tells what it saw, granted, denied, and how its steps ended."),
    curve("Went to and fro", "short", ("flexcapsule_oscillating_subjects{s}", "subjects"),
          about="One way, back, and the first way again within an hour."),
))  # fmt: skip

MIGRATIONS = Board("flexcapsule-migrations", "FlexCapsule: Migrations", (
    curve("Migrations", "cps", (f'sum by (outcome) (rate(flexcapsule_steps_total{{s,kind="migrate"}}[{RATE}]))', "{{outcome}}"),
          ('sum(flexcapsule_steps_in_flight{s,kind="migrate"})', "under way (count)")),
    curve("Downtime", "s", (quantile(0.5, "flexcapsule_migration_downtime_seconds"), "median"),
          (quantile(0.99, "flexcapsule_migration_downtime_seconds"), "99 %"),
          ("flexcapsule:migration_downtime_seconds:mean5m{s}", "mean"), exemplars=True,
          about="NaN or nothing while nothing moves. A dot is one migration and names its app VM (Prometheus needs --enable-feature=exemplar-storage)."),
    curve("Downtime: taken / predicted", "percentunit",
          (f"rate(flexcapsule_migration_paused_seconds_total{{s}}[{RATE}]) / rate(flexcapsule_migration_predicted_downtime_seconds_total{{s}}[{RATE}])", "taken / predicted"),
          about="100 % is as predicted; above it, migrations pause longer than guards reckon with."),
    curve("Total time: taken / predicted", "percentunit",
          (f"rate(flexcapsule_migration_taken_seconds_total{{s}}[{RATE}]) / rate(flexcapsule_migration_predicted_seconds_total{{s}}[{RATE}])", "taken / predicted"),
          about="Migrations that share a network take longer than predicted for one alone."),
    curve("Total time", "s", (quantile(0.5, "flexcapsule_step_duration_seconds", ", kind").replace("{s}", '{s,kind="migrate"}'), "median"),
          (quantile(0.99, "flexcapsule_step_duration_seconds", ", kind").replace("{s}", '{s,kind="migrate"}'), "99 %"), exemplars=True),
    curve("Failed migrations", "cps", (f'rate(flexcapsule_steps_total{{s,kind="migrate",outcome="failed"}}[{RATE}])', "failed"),
          ('sum(flexcapsule_actions_total{s,outcome="stuck"})', "actions stuck, in all (count)")),
    curve("Copied", "Bps", (f"rate(flexcapsule_migration_sent_bytes_total{{s}}[{RATE}])", "sent")),
    curve("The app VM that was paused longest", "s", ("flexcapsule_highest_downtime_seconds{s}", "pause in 24 h"),
          about="Which one it is: `flexcapsule explain`, status page. App VMs are no labels: they come and go."),
    curve("App VMs over their downtime budget", "short", ("flexcapsule_downtime_over_budget_app_vms{s}", "app VMs")),
))  # fmt: skip

INVENTORY = Board("flexcapsule-inventory", "FlexCapsule: App VMs and cloud VMs", (
    curve("App VMs by service", "short", ("flexcapsule_app_vms{s}", "{{service}}"), stacked=True),
    curve("Cloud VMs by size", "short", ("sum by (size) (flexcapsule_cloud_vms{s})", "{{size}}"), stacked=True),
    curve("Cloud VMs by state", "short", ("sum by (state) (flexcapsule_cloud_vms{s})", "{{state}}"), stacked=True),
    curve("App VMs per cloud VM", "short", ("sum(flexcapsule_app_vms{s}) / sum(flexcapsule_cloud_vms{s})", "mean"),
          about="Where each one is, now: the controller's status page."),
    curve("Placement: how full cloud VMs are", "short", ("flexcapsule_filled_cloud_vms{s}", "{{memory}} of the memory"), stacked=True,
          about="Cloud VMs by the share of their memory that is allocated to app VMs: packing moves them upwards."),
    curve("Placement: app VMs by the size they are on", "short", ("flexcapsule_hosted_app_vms{s}", "{{size}}"), stacked=True),
    curve("CPU by service", "cores", ("flexcapsule_cpu_usage_cores{s}", "{{service}}"), stacked=True),
    curve("CPU load of the services", "percentunit", ("flexcapsule:service_cpu_load:ratio{s}", "{{service}}"),
          about="Of what is allocated to their app VMs."),
    curve("Memory", "bytes", ("sum(flexcapsule_memory_usage_bytes{s})", "in use"),
          ("sum(flexcapsule_memory_allocated_bytes{s})", "allocated"), ("sum(flexcapsule_memory_capacity_bytes{s})", "rented")),
    curve("Memory in use of what is allocated", "percentunit",
          ("flexcapsule_memory_usage_bytes{s} / (flexcapsule_memory_allocated_bytes{s} > 0)", "{{service}}")),
    curve("Load of the cluster", "percentunit", ("flexcapsule:cpu_load:ratio{s}", "CPU used / rented"),
          ("flexcapsule:memory_allocated:ratio{s}", "memory allocated / rented")),
))  # fmt: skip

CONTROLLER = Board("flexcapsule-controller", "FlexCapsule: Controller", (
    curve("One turn of the loop", "s", (quantile(0.5, "flexcapsule_tick_duration_seconds"), "median"),
          (quantile(0.99, "flexcapsule_tick_duration_seconds"), "99 %")),
    curve("Turns", "cps", (f"rate(flexcapsule_tick_duration_seconds_count{{s}}[{RATE}])", "turns")),
    curve("Age of samples", "s", ("flexcapsule_sample_age_seconds{s}", "{{which}}"), ("flexcapsule_fresh_limit_seconds{s}", "limit")),
    curve("Since the newest turn", "s", ("flexcapsule_journal_lag_seconds{s}", "lag")),
    curve("Waited for the journal", "s", ("flexcapsule_journal_write_seconds{s}", "newest turn")),
    curve("Errors", "cps", (f"rate(flexcapsule_source_errors_total{{s}}[{RATE}])", "source"),
          (f"rate(flexcapsule_actuator_refusals_total{{s}}[{RATE}])", "actuator"), (f"rate(flexcapsule_alerts_total{{s}}[{RATE}])", "alerts raised")),
    curve("Steps under way", "short", ("flexcapsule_steps_in_flight{s}", "{{kind}}"), stacked=True),
    curve("Steps ended", "cps", (f"sum by (kind, outcome) (rate(flexcapsule_steps_total{{s}}[{RATE}]))", "{{kind}} {{outcome}}")),
    curve("Policy files read again", "short", ("flexcapsule_policy_reloads_total{s}", "{{outcome}}")),
    number("Policy and version", "short", "flexcapsule_policy_info{s}"),
    number("Build", "short", "flexcapsule_build_info{s}"),
    number("Scrape", "s", "scrape_duration_seconds{s}"),
))  # fmt: skip

BOARDS = (OVERVIEW, DECISIONS, MIGRATIONS, INVENTORY, CONTROLLER)
