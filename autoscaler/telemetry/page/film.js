"use strict";
// A replay on the same page: the report that `flexcapsule replay --report` wrote is opened from disk (it goes nowhere) and scrubbed
// through. Its frames become the `inventory` and `moment` that page.js draws; places come as changes, so they are added up once.
const TOO_BIG = 256 * MIB, KEY_EVERY = 50, FRAME_MS = 120;

class Film {
  constructor(outcome) {
    const film = outcome.film, v = film.app_vms;
    if (!Array.isArray(film.frames) || !film.frames.length || !Array.isArray(v.id)) throw new Error("there are no frames in it");
    this.title = `${outcome.policy} on ${outcome.trace}`;
    this.policy = outcome.policy;
    this.film = film;
    this.marks = outcome.line?.happenings ?? [];
    this.clouds = film.cloud_vms.map(([id, size_name, cores, memory_bytes, price_per_hour]) => ({ id, size: size_name, state: "active", cores, memory_bytes, price_per_hour }));
    this.row = -1;
    this.keys = [];
    const place = new Int32Array(v.id.length).fill(-1);
    film.frames.forEach((frame, n) => {
      this.move(place, frame);
      if (n % KEY_EVERY === 0) this.keys.push(place.slice());
    });
  }

  get length() { return this.film.frames.length; }

  move(place, frame) {
    for (let i = 0; i < frame[4].length; i += 2) place[frame[4][i]] = frame[4][i + 1];
  }

  place(n) {
    const place = this.keys[Math.floor(n / KEY_EVERY)].slice();
    for (let i = n - n % KEY_EVERY + 1; i <= n; i++) this.move(place, this.film.frames[i]);
    return place;
  }

  // the frame as page.js wants it: cloud VMs by their row in the inventory of this very frame
  draw(n) {
    const [at_s, cost, unserved, there, , levels] = this.film.frames[n], before = n && this.film.frames[n - 1][3];
    const same = inventory?.film === this && this.row >= 0 && String(this.film.frames[this.row][3]) === String(there);
    if (!same) adopt({ film: this, app_vms: this.film.app_vms, services: this.film.services, cloud_vms: there.map((row) => this.clouds[row]) });
    const here = new Map(there.map((row, i) => [row, i])), cores = this.film.app_vms.cores;
    const cpu = cores.map((_, row) => Math.max(0, Number.parseInt(levels[row] ?? "0", 10) || 0) / 9);
    const place = Array.from(this.place(n), (row) => here.get(row) ?? -1);
    let used = 0, offered = 0, price = 0;
    place.forEach((cloud, row) => { if (cloud >= 0) used += cpu[row] * cores[row]; });
    for (const row of there) { offered += this.clouds[row].cores; price += this.clouds[row].price_per_hour; }
    const still = Math.abs(n - this.row) !== 1 || !before;
    this.row = n;
    show({
      at: new Date(at_s * 1000).toISOString().replace(".000", ""), policy: this.title, mode: "replay", price_per_hour: price, cost, regret: null,
      cpu_load_fraction: offered ? used / offered : 0, oldest_sample_s: 0, place, cpu, moving: [], stale: [], paused: [], stuck: [], decision: "",
    }, still);
    at("age").textContent = "–";
    at("when").textContent = `${at("policy").textContent.split(" · ").pop()} · ${(100 * unserved).toFixed(3)} % unserved so far`;
    at("scrub").value = n;
    at("scrub").setAttribute("aria-valuetext", at("when").textContent);
    this.list(at_s);
  }

  list(at_s) {
    const until = this.marks.filter((mark) => mark.at <= at_s).slice(-30).reverse();
    const known = until.length ? until[0] : null;
    if (this.listed === known) return;
    this.listed = known;
    const list = at("list");
    list.replaceChildren();
    for (const mark of until) this.brief(mark, list);
  }

  brief(mark, list) {
    const item = put("li", list);
    put("small", item, new Date(mark.at * 1000).toISOString().slice(0, 16).replace("T", " "));
    const why = mark.reason.startsWith(mark.about) ? mark.reason : `${mark.about}: ${mark.reason}`;
    put("div", item, `${mark.what.replaceAll("_", " ")} ${why}${mark.more ? ` (and ${mark.more} more)` : ""}`, mark.what === "alert" ? "no" : "yes");
  }

  tell(id, list) {
    const row = this.film.app_vms.id.indexOf(id), service = row < 0 ? "" : this.film.services[this.film.app_vms.service[row]];
    const about = this.marks.filter((mark) => mark.about === id || (service && mark.about === service));
    for (const mark of about.slice(-30).reverse()) this.brief(mark, list);
    if (!about.length) put("p", list.parentElement, "Nothing was granted about it alone.");
  }
}

// The report is a page with its data in one script element (where `<` is written \u003c); only that is read, nothing of it is run.
const DATA = /<script id="?outcomes"?[^>]*>([^<]*)<\/script>/;
function outcomes_in(text) {
  const found = text.trimStart().startsWith("<") ? text.match(DATA)?.[1] : text;
  const read = JSON.parse(found ?? "null");
  const films = (Array.isArray(read) ? read : []).filter((outcome) => outcome?.film);
  if (!films.length) throw new Error("there is no replay in it to scrub through");
  return films.map((outcome) => new Film(outcome));
}

let films = [], timer = 0;
async function open_replay(file) {
  try {
    if (file.size > TOO_BIG) throw new Error("it is too big for a page");
    films = outcomes_in(await file.text());
  } catch (error) {
    at("link").textContent = `${file.name} is no report of \`flexcapsule replay --report\`: ${error.message}`;
    at("link").className = "lost";
    return;
  }
  at("which").replaceChildren();
  films.forEach((one, n) => { put("option", at("which"), one.title).value = n; });
  for (const each of [at("which"), document.querySelector("label[for=which]")]) each.hidden = films.length < 2;
  at("film").hidden = false;
  at("hold").hidden = true;
  at("what").textContent = "Granted until then";
  at("link").textContent = `replay of ${file.name}`;
  at("link").className = "";
  choose(0);
  at("scrub").focus();
}

function choose(n) {
  const share = replayed ? at("scrub").value / Math.max(1, at("scrub").max) : 0;
  replayed = films[n];
  replayed.listed = undefined;
  at("scrub").max = replayed.length - 1;
  replayed.draw(Math.round(share * (replayed.length - 1)));
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => {
    if (replayed.row + 1 < replayed.length) replayed.draw(replayed.row + 1);
    else play(false);
  }, FRAME_MS) : 0;
  at("play").textContent = on ? "Stop" : "Play";
  at("play").setAttribute("aria-pressed", String(on));
}

function leave() {
  play(false);
  replayed = null;
  at("film").hidden = true;
  at("hold").hidden = false;
  at("what").textContent = "Last decisions";
  at("list").replaceChildren();
  at("link").textContent = "connected";
  at("link").className = "";
  listed = "";
  if (live.inventory) adopt(live.inventory);
  if (live.moment) show(live.moment, true);
  at("choose").focus();
}

at("choose").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", () => { if (at("file").files[0]) open_replay(at("file").files[0]); at("file").value = ""; });
at("scrub").addEventListener("input", () => { play(false); replayed.draw(Number(at("scrub").value)); });
at("which").addEventListener("change", () => choose(Number(at("which").value)));
at("play").addEventListener("click", () => { if (!timer && replayed.row + 1 === replayed.length) replayed.draw(0); play(!timer); });
at("leave").addEventListener("click", leave);
