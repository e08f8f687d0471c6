"""The status page in a real browser, on a controller at work: what an operator does with it, and what it must not do."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest
import yaml
from chromium import PROGRAM, Chromium
from demo import Demo

from autoscaler.cli.main import ended

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None, reason="there is no chromium here (Debian package `chromium`)"),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="there is no prometheus here (Debian package `prometheus`)"
    ),
]
FIRST_PAINT_MS, UPDATE_MS = 2000.0, 100.0
TILES = "document.querySelectorAll('.app').length"


@pytest.fixture
def browser(tmp_path):
    with Chromium(tmp_path / "profile") as running:
        yield running


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with Demo(tmp_path_factory.mktemp("page")) as running:
        yield running


def content(browser, demo) -> None:
    """Nothing on the console, nothing asked of another host."""
    assert browser.complaints == []
    own = urlsplit(demo.controller_url).netloc
    assert {urlsplit(address).netloc for address in browser.requests if not address.startswith("data:")} == {own}


def test_an_app_vm_is_followed_from_box_to_box(browser, demo):
    browser.open(f"{demo.controller_url}/")
    browser.wait(f"{TILES} > 20")
    place = "t => t.closest('[data-cloud-vm]')?.dataset.cloudVm"
    browser.ask(f"window.were = new Map([...document.querySelectorAll('.app')].map(t => [t, ({place})(t)])); 1")
    moved = browser.wait(
        f"(() => {{ for (const [t, was] of window.were) {{ const now = ({place})(t);"
        " if (now && was && now !== was) return [t.dataset.appVm, was, now]; } return null; })()"
    )
    app_vm, was, now = moved
    assert was != now
    browser.ask(f"document.querySelector('[data-app-vm={app_vm}]').click(); 1")
    browser.wait("document.querySelectorAll('#about button').length > 0")  # the decision that moved it, at least
    assert browser.ask("document.getElementById('title').textContent") == f"App VM {app_vm}"
    content(browser, demo)


def test_a_decision_tells_its_story_by_keyboard(browser, demo):
    browser.open(f"{demo.controller_url}/", width=320, height=700, dark=True)
    browser.wait("!!document.querySelector('#list .no')")
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    browser.ask("document.querySelector('#list .no').closest('button').focus(); 1")
    browser.press("Enter", "\r")
    assert "Denied" in browser.wait("document.querySelector('#tale h3') && document.getElementById('tale').textContent")
    browser.press("Escape")
    browser.wait("!document.getElementById('story').open")
    browser.ask("document.querySelector('.app[tabindex=\"0\"]').focus(); 1")
    first = browser.ask("document.activeElement.dataset.appVm")
    browser.press("ArrowRight")
    assert browser.ask("document.activeElement.dataset.appVm") not in (first, None)
    browser.press("ArrowDown")
    browser.press("Enter", "\r")
    browser.wait("document.getElementById('story').open")
    content(browser, demo)


def order(browser, word: str, token: str) -> str:
    """Fill the form in and send it; what the page answers."""
    browser.ask(
        "(() => { document.getElementById('gate').close(); document.getElementById('hold').click();"
        f" const f = document.getElementById('order'); f.elements.why.value = 'a look'; f.elements.token.value = '{token}';"
        f" f.querySelector('[value={word}]').click(); }})()"
    )
    return str(browser.wait("document.getElementById('answer').textContent"))


def test_pausing_takes_the_token(browser, demo):
    browser.open(f"{demo.controller_url}/")
    browser.wait(f"{TILES} > 20")
    assert order(browser, "pause", "w" * 43).startswith("refused")
    assert len(browser.complaints) == 1, "the browser notes the 401"
    assert "401" in browser.complaints.pop()
    token = (demo.folder / "token").read_text().strip()
    assert order(browser, "pause", token).startswith("pause: the whole cluster")
    assert "a look" in browser.wait("document.getElementById('held').textContent")
    assert order(browser, "resume", token).startswith("resume: the whole cluster")
    browser.wait("document.getElementById('held').textContent === ''")
    content(browser, demo)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A day replayed by two policies."""
    folder = tmp_path_factory.mktemp("replay")
    load = str(folder / "load.parquet")
    assert ended(["trace", "generate", load, "--days", "1", "--subjects", "3"]) == 0
    policies = ["-p", "balanced", "-p", "cost-saver"]
    assert ended(["replay", "-t", load, *policies, "--report", str(folder / "report.html")]) == 0
    return folder / "report.html"


WHERE = "[...document.querySelectorAll('.app')].map(t => [t.dataset.appVm, t.closest('[data-cloud-vm]').dataset.cloudVm]).sort().join()"


def test_a_replay_is_opened_and_scrubbed_through_by_keyboard(browser, demo, report):
    browser.open(f"{demo.controller_url}/", width=320, height=800)
    browser.wait(f"{TILES} > 20")
    browser.choose("#file", report)
    browser.wait("!document.getElementById('film').hidden")
    assert browser.ask("document.getElementById('policy').textContent").startswith("balanced on load · replay · ")
    assert browser.ask("document.activeElement.id") == "scrub"
    first, began = browser.ask(WHERE), browser.ask("document.getElementById('when').textContent")
    browser.press("ArrowRight")
    assert browser.ask("document.getElementById('when').textContent") != began
    browser.press("End")
    last = browser.ask(WHERE)
    assert last != first, "it was moved about"
    assert float(browser.ask("document.getElementById('cost').textContent")) > 1
    browser.press("Home")
    assert browser.ask(WHERE) == first, "backwards is as forwards"
    middle = "scrub.value = Math.round(scrub.max / 2); scrub.dispatchEvent(new Event('input'))"
    browser.ask(f"(() => {{ const scrub = document.getElementById('scrub'); {middle}; }})()")
    assert "%" in browser.ask("document.getElementById('list').textContent"), "what was granted until then, with why"
    browser.ask("document.querySelector('.app').click(); 1")
    browser.wait("document.getElementById('story').open")
    browser.press("Escape")
    browser.ask("document.getElementById('play').focus(); 1")
    before = browser.ask("document.getElementById('scrub').value")
    browser.press("Enter", "\r")
    browser.wait(f"document.getElementById('scrub').value !== '{before}'")
    browser.ask(
        "document.getElementById('which').value = '1'; document.getElementById('which').dispatchEvent(new Event('change'))"
    )
    assert browser.ask("document.getElementById('policy').textContent").startswith("cost-saver on load")
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    browser.ask("document.getElementById('leave').click(); 1")
    browser.wait(f"document.getElementById('link').textContent === 'connected' && {TILES} > 20")
    browser.wait("!!document.querySelector('#list [data-decision]')")
    content(browser, demo)


def test_a_file_that_is_no_replay_is_refused_and_the_cluster_stays(browser, demo, tmp_path):
    (tmp_path / "notes.html").write_text("<script id=outcomes>[]</script><script>document.title = 'ran'</script>")
    browser.open(f"{demo.controller_url}/")
    browser.wait(f"{TILES} > 20")
    browser.choose("#file", tmp_path / "notes.html")
    browser.wait("document.getElementById('link').textContent.startsWith('notes.html is no report')")
    assert browser.ask("document.title") == "FlexCapsule"
    assert browser.ask("document.getElementById('film').hidden")
    content(browser, demo)


def test_every_control_is_reached_by_tab_and_a_link_opens_a_decision(browser, demo):
    browser.open(f"{demo.controller_url}/")
    browser.wait("!!document.querySelector('#list [data-decision]')")
    decision = browser.ask("document.querySelector('#list [data-decision]').dataset.decision")
    reached = []
    for _ in range(60):
        browser.press("Tab")
        reached.append(
            browser.ask(
                "(e => e.id || (e.dataset.appVm ? 'app VM' : e.className || e.tagName))(document.activeElement)"
            )
        )
    reached = reached[: reached.index("skip", 1)] if "skip" in reached[1:] else reached  # once around
    assert {"skip", "find", "hold", "choose", "name", "app VM"} <= set(reached)
    assert reached.count("app VM") == 1, "all tiles are one stop"
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
    browser.open(f"{demo.controller_url}/#{decision}")
    browser.wait(f"document.getElementById('title').textContent === 'Decision {decision}'")
    content(browser, demo)


def crowded() -> dict:
    """10,000 app VMs on 800 cloud VMs."""
    size = {"name": "large", "cores": 8, "memory": "16GiB", "price_per_hour": 0.4}
    service = {
        "replicas": 500,
        "max_replicas": 500,
        "cores": 0.5,
        "memory": "64MiB",
        "demand": {"base_cores": 60, "noise": "20%"},
    }
    return {
        "catalogue": [size],
        "cloud_vms": [{"id": f"cloud-{n}", "size": "large"} for n in range(800)],
        "services": [{"id": f"service-{n}", **service} for n in range(20)],
    }


def test_ten_thousand_app_vms_stay_usable(browser, tmp_path):
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(crowded()))
    world = {"simulated": {"world": str(tmp_path / "world.yaml")}}
    with Demo(tmp_path, {"policy": "hold", "cluster": world, "pace": "30x"}) as demo:
        browser.open(f"{demo.controller_url}/")
        browser.wait(f"{TILES} === 10000")
        updates = "performance.getEntriesByName('update')"
        assert browser.ask(f"{updates}[0].startTime + {updates}[0].duration") < FIRST_PAINT_MS
        browser.wait(f"{updates}.length >= 4")
        later = browser.ask(f"{updates}.slice(1).map(e => e.duration)")
        print("first paint", browser.ask("performance.getEntriesByName('first-contentful-paint')[0]?.startTime"), later)
        assert sorted(later)[len(later) // 2] < UPDATE_MS
        scrape_s = float(demo.query('scrape_duration_seconds{job="flexcapsule"}')[0]["value"][1])
        series = float(demo.query('scrape_samples_scraped{job="flexcapsule"}')[0]["value"][1])
        print("scrape", scrape_s, "s,", series, "series")
        assert scrape_s < 0.5
        content(browser, demo)
