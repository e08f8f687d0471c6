"use strict";
// The status page: one stream of events in, boxes and words out. No library, no build step, no other host. `inventory` says who
// exists, `moment` who is where; both come column by column, so that 10,000 app VMs are a few arrays.
const at = (id) => document.getElementById(id);
const put = (tag, parent, text, kind) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  parent.append(made);
  return made;
};
const per = (share) => `${Math.round(100 * share)} %`;
const MIB = 2 ** 20, size = (bytes) => bytes >= 1024 * MIB ? `${+(bytes / MIB / 1024).toFixed(1)} GiB` : `${Math.round(bytes / MIB)} MiB`;
const FLIGHTS = 200, calm = matchMedia("(prefers-reduced-motion: reduce)");
let live = { inventory: null, moment: null }, replayed = null; // `replayed`: what film.js shows instead of the live cluster
let inventory = null, moment = null, clouds = new Map(), apps = [], byId = new Map(), scale = null, current = null, token = "";

// ---- who exists
function adopt(next) {
  inventory = next;
  const known = byId;
  byId = new Map();
  apps = next.app_vms.id.map((id, row) => {
    let tile = known.get(id);
    if (!tile) {
      tile = document.createElement("button");
      tile.type = "button";
      tile.tabIndex = -1;
      tile.dataset.appVm = id;
      tile.textContent = id;
      tile.setAttribute("aria-label", id);
    }
    tile.row = row;
    byId.set(id, tile);
    return tile;
  });
  for (const [id, tile] of known) if (!byId.has(id)) tile.remove();
  if (!current || !byId.has(current.dataset.appVm)) current = apps[0] ?? null;
  if (current) current.tabIndex = 0;
  boxes(next.cloud_vms);
}

function boxes(list) {
  const most = [Math.max(...list.map((c) => c.cores), 1), Math.max(...list.map((c) => c.memory_bytes), 1)];
  const wide = Math.min(list.length > 200 ? 96 : list.length > 40 ? 150 : 230, document.documentElement.clientWidth - 40);
  scale = [wide / most[0], wide * 0.7 / most[1]];
  const before = clouds;
  clouds = new Map();
  for (const cloud of list) {
    const box = before.get(cloud.id) ?? box_of(cloud);
    box.cloud = cloud;
    box.width = Math.max(24, Math.round(cloud.cores * scale[0]));
    box.height = Math.max(18, Math.round(cloud.memory_bytes * scale[1]));
    box.root.className = `cloud ${cloud.state}`;
    box.root.style.width = `${box.width + 4}px`;
    box.root.style.containIntrinsicSize = `${box.width + 4}px ${box.height + 30}px`;
    box.inside.style.height = `${box.height}px`;
    box.drawn = "";
    clouds.set(cloud.id, box);
    if (!before.has(cloud.id)) at("cluster").append(box.root);
  }
  for (const [id, box] of before) if (!clouds.has(id)) box.root.remove();
}

function box_of(cloud) {
  const root = document.createElement("section");
  root.dataset.cloudVm = cloud.id;
  root.setAttribute("aria-label", `cloud VM ${cloud.id}`);
  const name = put("button", root, cloud.id, "name");
  name.type = "button";
  name.title = `${cloud.id}: ${cloud.size}, ${cloud.cores} cores, ${size(cloud.memory_bytes)}`;
  const gauge = put("i", put("div", root, undefined, "gauge"));
  return { root, gauge, inside: put("div", root, undefined, "inside"), drawn: "" };
}

// ---- who is where, now
function show(next, still = false) {
  performance.mark("began");
  const before = moment, moved = [];
  moment = next;
  const inside = inventory.cloud_vms.map(() => []);
  next.place.forEach((cloud, row) => {
    if (cloud >= 0) inside[cloud].push(row);
    else apps[row].remove();
    const tile = apps[row], was = tile.place;
    const id = cloud >= 0 ? inventory.cloud_vms[cloud].id : "";
    if (before && was && id && was !== id && moved.length < FLIGHTS) moved.push([tile, tile.getBoundingClientRect()]);
    tile.place = id;
  });
  const special = new Map();
  for (const row of next.moving) special.set(row, "moving");
  for (const row of next.stale) special.set(row, "stale");
  paint(next, special);
  inventory.cloud_vms.forEach((cloud, row) => fill(clouds.get(cloud.id), inside[row]));
  if (!calm.matches && !still) for (const [tile, from] of moved) fly(tile, from);
  words(next);
  performance.measure("update", "began");
}

function paint(next, special) {
  const held = { ...Object.fromEntries(next.paused.map(([id]) => [id, "paused"])), ...Object.fromEntries(next.stuck.map(([id]) => [id, "stuck"])) };
  const services = inventory.services, needle = at("find").value.trim();
  apps.forEach((tile, row) => {
    const level = Math.max(0, Math.min(5, Math.round(5 * next.cpu[row])));
    const service = services[inventory.app_vms.service[row]] ?? "";
    const state = held[inventory.app_vms.id[row]] ?? held[service] ?? special.get(row) ?? "";
    const dim = needle && !`${inventory.app_vms.id[row]} ${service} ${tile.place}`.includes(needle) ? " dim" : "";
    const kind = `app l${level} ${state}${dim}`;
    if (tile.className !== kind) tile.className = kind;
  });
  const used = new Map();
  next.place.forEach((cloud, row) => used.set(cloud, (used.get(cloud) ?? 0) + next.cpu[row] * inventory.app_vms.cores[row]));
  inventory.cloud_vms.forEach((cloud, row) => {
    const box = clouds.get(cloud.id);
    box.gauge.style.transform = `scaleX(${Math.min(1, (used.get(row) ?? 0) / cloud.cores)})`;
    box.root.className = `cloud ${cloud.state} ${held[cloud.id] ?? ""}`;
  });
}

// Strips from the bottom: the filled part of the box is the memory allocated, to scale; each tile's area is its memory.
function fill(box, rows) {
  const drawn = rows.join();
  if (box.drawn === drawn) return;
  box.drawn = drawn;
  const memory = inventory.app_vms.memory_bytes, whole = box.width * box.height / box.cloud.memory_bytes;
  const area = rows.map((row) => memory[row] * whole), total = area.reduce((sum, a) => sum + a, 0);
  const strip = Math.max(1, Math.round(Math.sqrt(rows.length * (total / box.width) / box.width)));
  let bottom = 0, first = 0;
  for (let n = 0; n < strip; n++) {
    const last = n === strip - 1 ? rows.length : Math.round(rows.length * (n + 1) / strip);
    const sum = area.slice(first, last).reduce((s, a) => s + a, 0), high = sum / box.width;
    let left = 0;
    for (let i = first; i < last; i++) {
      const style = apps[rows[i]].style, wide = area[i] / (high || 1);
      style.left = `${left}px`;
      style.bottom = `${bottom}px`;
      style.width = `${wide}px`;
      style.height = `${high}px`;
      left += wide;
    }
    bottom += high;
    first = last;
  }
  const here = rows.map((row) => apps[row]);
  if (here.some((tile, n) => box.inside.children[n] !== tile) || box.inside.children.length !== here.length) {
    const focused = document.activeElement;
    box.inside.append(...here);
    if (focused instanceof HTMLElement && here.includes(focused)) focused.focus({ preventScroll: true });
  }
}

function fly(tile, from) {
  const to = tile.getBoundingClientRect(), ghost = put("div", document.body, undefined, "ghost");
  const [width, height] = [Math.max(to.width, 8), Math.max(to.height, 8)];
  Object.assign(ghost.style, { left: `${to.left}px`, top: `${to.top}px`, width: `${width}px`, height: `${height}px` });
  const frames = [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }];
  ghost.animate(frames, { duration: 900, easing: "ease-in-out" }).finished.then(() => ghost.remove(), () => ghost.remove());
}

function words(next) {
  at("policy").textContent = `${next.policy || "no policy"} · ${next.mode} · ${next.at.replace("T", " ").replace("Z", " UTC")}`;
  at("price").textContent = next.price_per_hour.toFixed(3);
  at("lost").textContent = next.regret ? next.regret.toFixed(3) : "–";
  at("cost").textContent = next.cost.toFixed(2);
  at("clouds").textContent = inventory.cloud_vms.length;
  at("apps").textContent = next.place.filter((cloud) => cloud >= 0).length;
  at("cpu").textContent = per(next.cpu_load_fraction);
  at("age").textContent = `${Math.round(next.oldest_sample_s)} s`;
  const held = (list, word) => list.map(([id, why]) => `${id || "The whole cluster"} is ${word}${why ? `: ${why}` : ""}.`);
  const text = [...held(next.stuck, "stuck"), ...held(next.paused, "paused")].join(" ");
  if (at("held").textContent !== text) at("held").textContent = text;
  if (!replayed && next.decision !== listed) relist();
}

// ---- decisions
let listed = "", listing = false;
async function relist() {
  if (listing || replayed) return;
  listing = true;
  const newest = moment.decision;
  try {
    const page = await ask("api/v1/decisions?limit=90");
    if (replayed) { listing = false; return; }
    const list = at("list"), focused = document.activeElement?.dataset?.decision;
    list.replaceChildren();
    for (const alike of runs(page.decisions).slice(0, 30)) brief(alike[0], list, alike.length);
    if (focused) list.querySelector(`[data-decision="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    listed = newest;
  } catch (error) { at("link").textContent = String(error.message); }
  setTimeout(() => { listing = false; if (!replayed && moment.decision !== listed) relist(); }, 2000);
}

// Decisions that only refuse, and the same wishes for the same reasons, are told once.
function runs(decisions) {
  const found = [], said = (one) => one.granted.length ? one.id : [one.abstained, ...one.denied].join();
  for (const one of decisions) {
    const last = found[found.length - 1];
    if (last && said(last[0]) === said(one)) last.push(one);
    else found.push([one]);
  }
  return found;
}

function brief(decision, list, alike = 1) {
  const button = put("button", put("li", list));
  button.type = "button";
  button.dataset.decision = decision.id;
  put("small", button, `${decision.at.replace("T", " ").replace("Z", "")} · ${decision.id}${decision.steps ? ` · ${decision.steps} step${decision.steps > 1 ? "s" : ""}` : ""}${alike > 1 ? `, and ${alike - 1} before it alike` : ""}`);
  for (const text of decision.granted.slice(0, 4)) put("div", button, text, "yes");
  for (const text of decision.denied.slice(0, 3)) put("div", button, text, "no");
  const more = Math.max(0, decision.granted.length - 4) + Math.max(0, decision.denied.length - 3);
  if (more) put("small", button, `and ${more} more`);
  if (decision.abstained) put("div", button, decision.abstained, "no");
  if (!decision.granted.length && !decision.denied.length && !decision.abstained) put("div", button, "nothing to do");
}

async function ask(path, options) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  const told = await answer.json().catch(() => ({ detail: answer.statusText }));
  if (!answer.ok) throw new Error(told.detail ?? answer.statusText);
  return told;
}

// ---- stories
function open(title) {
  at("title").textContent = title;
  at("tale").replaceChildren();
  if (!at("story").open) at("story").showModal();
  return at("tale");
}

const numbers = (evidence) => Object.entries(evidence).map(([name, value]) => `${name} ${+value.toPrecision(4)}`).join(", ");

async function decision_story(id) {
  const tale = open(`Decision ${id}`);
  try {
    const told = await ask(`api/v1/decisions/${encodeURIComponent(id)}`);
    put("p", tale, `${told.at} · policy ${told.policy}. It saw: ${numbers(told.inputs)}.`, "legend");
    if (told.abstained) put("p", tale, `Abstained: ${told.abstained}`);
    wishes(tale, "Granted", told.granted.map((p) => [p, []]));
    wishes(tale, "Denied", told.denied.map((d) => [d.proposal, d.denials]));
    if (told.plan) {
      put("h3", tale, `Plan ${told.plan.id}`);
      const steps = put("ul", tale);
      for (const step of told.plan.steps) put("li", steps, `${step.id}: ${step.kind} ${Object.entries(step.details).map(([k, v]) => `${k} ${v}`).join(", ")}${step.requires.length ? ` (after ${step.requires.join(", ")})` : ""}`);
      for (const why of told.plan.infeasible) put("li", steps, `left out: ${why}`);
    }
  } catch (error) { put("p", tale, error.message); }
  tale.focus();
}

function wishes(tale, heading, list) {
  if (!list.length) return;
  put("h3", tale, heading);
  const items = put("ul", tale);
  for (const [proposal, denials] of list) {
    const item = put("li", items, `${proposal.action} ${proposal.about}: ${proposal.reason} (${numbers(proposal.evidence)})`);
    const under = denials.length ? put("ul", item) : null;
    for (const d of denials) put("li", under, `${d.guard}: ${d.reason}.${d.relax ? ` Would pass with ${d.relax}` : ""}${d.until ? `, or by itself at ${d.until}` : ""}`);
  }
}

async function subject_story(kind, id, facts) {
  const tale = open(`${kind} ${id}`);
  for (const fact of facts) put("p", tale, fact);
  if (replayed) { put("h3", tale, "Granted about it"); replayed.tell(id, put("ol", tale)); return; }
  const button = put("button", tale, "Pause or resume it …");
  button.type = "button";
  button.addEventListener("click", () => { at("story").close(); gate(id); });
  put("h3", tale, "Decisions about it");
  const list = put("ol", tale);
  list.id = "about";
  try {
    const page = await ask(`api/v1/decisions?limit=20&about=${encodeURIComponent(id)}`);
    if (!page.decisions.length) put("p", tale, "None yet.");
    for (const decision of page.decisions) brief(decision, list);
  } catch (error) { put("p", tale, error.message); }
}

function app_story(tile) {
  const row = tile.row, v = inventory.app_vms, service = inventory.services[v.service[row]];
  subject_story("App VM", v.id[row], [
    `On ${tile.place || "no cloud VM"}${service ? `, a replica of service ${service}` : ""}. ${v.cores[row]} cores, of which ${per(moment.cpu[row])} are in use; ${size(v.memory_bytes[row])} of memory.`,
  ]);
}

function cloud_story(id) {
  const { cloud } = clouds.get(id), row = inventory.cloud_vms.indexOf(cloud);
  const inside = apps.filter((tile) => moment.place[tile.row] === row).map((tile) => tile.dataset.appVm);
  subject_story("Cloud VM", id, [
    `${cloud.size}, ${cloud.state}: ${cloud.cores} cores, ${size(cloud.memory_bytes)}, ${cloud.price_per_hour} per hour.`,
    inside.length ? `It runs ${inside.length}: ${inside.slice(0, 40).join(", ")}${inside.length > 40 ? " …" : ""}` : "It runs nothing.",
  ]);
}

// ---- pause and resume
function gate(subject) {
  const form = at("order");
  form.elements.subject.value = subject;
  form.elements.token.value = token;
  at("answer").textContent = "";
  at("gate").showModal();
}

async function order(event) {
  event.preventDefault();
  const form = at("order"), word = event.submitter?.value ?? "pause";
  token = form.elements.token.value;
  const body = JSON.stringify({ subject: form.elements.subject.value.trim(), why: form.elements.why.value, who: "status page" });
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  try {
    const told = await ask(`api/v1/${word}`, { method: "POST", headers, body });
    at("answer").textContent = `${word}: ${told.subject || "the whole cluster"}, ${told.taken ? "in force" : "with the next tick"}`;
  } catch (error) { at("answer").textContent = `refused: ${error.message}`; }
}

// ---- the keyboard: one tab stop for all tiles; left and right inside a box, up and down from box to box
function step(event) {
  const tile = event.target.closest?.(".app");
  if (!tile) return;
  const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key], box = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!side && !box) return;
  event.preventDefault();
  let next = null;
  if (side) next = side > 0 ? tile.nextElementSibling : tile.previousElementSibling;
  for (let cloud = tile.closest(".cloud"); !next && cloud;) {
    cloud = (side ?? box) > 0 ? cloud.nextElementSibling : cloud.previousElementSibling;
    const inside = cloud?.querySelectorAll(".app");
    if (inside?.length) next = side < 0 ? inside[inside.length - 1] : inside[0];
  }
  if (next) next.focus();
}

function focused(event) {
  const tile = event.target;
  if (!tile.classList?.contains("app")) return;
  if (current) current.tabIndex = -1;
  current = tile;
  tile.tabIndex = 0;
  tile.setAttribute("aria-label", `${tile.dataset.appVm} on ${tile.place}, CPU ${per(moment.cpu[tile.row])}`);
}

function clicked(event) {
  const target = event.target.closest?.("button");
  if (!target) return;
  if (target.dataset.appVm) app_story(target);
  else if (target.dataset.decision) decision_story(target.dataset.decision);
  else if (target.classList.contains("name")) cloud_story(target.parentElement.dataset.cloudVm);
}

function listen() {
  const stream = new EventSource("stream");
  stream.addEventListener("inventory", (event) => { live = { inventory: JSON.parse(event.data), moment: null }; if (!replayed) adopt(live.inventory); });
  stream.addEventListener("moment", (event) => { live.moment = JSON.parse(event.data); if (!replayed) show(live.moment); });
  const say = (text, kind) => { if (!replayed) { at("link").textContent = text; at("link").className = kind; } };
  stream.addEventListener("open", () => say("connected", ""));
  stream.addEventListener("error", () => say("no connection; trying again", "lost"));
}

document.addEventListener("click", clicked);
document.addEventListener("keydown", step);
document.addEventListener("focusin", focused);
at("order").addEventListener("submit", order);
at("hold").addEventListener("click", () => gate(""));
at("find").addEventListener("input", () => { if (moment) show(moment, true); });
addEventListener("resize", () => { if (inventory && moment) { boxes(inventory.cloud_vms); show(moment, true); } });
function linked() { if (/^#[dep]?\d+(\..*)?$/.test(location.hash)) decision_story(`d${location.hash.match(/\d+/)[0]}`); }
addEventListener("hashchange", linked);
listen();
linked();
