"use strict";
(() => {
// ---- what the page is made of ------------------------------------------------------
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
// Okabe and Ito: told apart by every kind of eye; states have a sign besides, tasks a name.
const TASKS = ["#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#f0e442", "#0072b2"], OTHER = "#9aa3ad";  // vermilion is for failures
const STATES = {
  failed: ["#d55e00", "M-3-3L3 3M3-3L-3 3"], running: ["#f0e442", "M-2-3.4L3.6 0L-2 3.4Z"],
  interrupted: ["#e69f00", "M-1.8-3V3M1.8-3V3"], blocked: ["#cc79a7", "M-3.2 0H3.2M0-3.2V3.2"],
  waiting: ["#8a929e", "M-3 0h.01M0 0h.01M3 0h.01"], "not run": ["#8a929e", "M-3 0H3"],
  done: ["#009e73", "M-3.4.4L-1 2.8L3.6-2.6"], hit: ["#56b4e9", "M-3-1.9a3 1.3 0 1 0 6 0a3 1.3 0 1 0-6 0v3.8a3 1.3 0 0 0 6 0v-3.8"],
  given: ["#0072b2", "M-3.4 0H3M.4-2.6L3 0L.4 2.6"], skipped: ["#8a929e", "M-3-2.8L0 0L-3 2.8M.6-2.8L3.6 0L.6 2.8"],
  "not wanted": ["#8a929e", "M-2.6 2.6L2.6-2.6"],
};
const RUN_STATES = { done: "done", failed: "failed", running: "running", interrupted: "interrupted", dead: "failed", broken: "failed", cancelled: "interrupted" };
const TOLD = { done: "ran", hit: "cached" };
const HOW = ["done", "skipped", "raised", "died", "timed out"];

// Text only ever goes onto the page as text: nothing of a run is parsed as HTML.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const name = (text) => el("bdi", {}, text);
const link = (text, call) => el("button", { class: "link", on: { click: call } }, name(text));
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

function sign(state) {
  const [colour, path] = STATES[state] || STATES.waiting;
  const dark = ["running", "interrupted", "hit"].includes(state);
  return shape("svg", { viewBox: "-7 -7 14 14", class: "sign", "aria-hidden": "true" },
    shape("circle", { r: 6.5, fill: colour }),
    shape("path", { d: path, fill: "none", stroke: dark ? "#1b2430" : "#fff", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}
function duration(seconds) {
  if (!(seconds > 0)) return "0 s";
  for (const [limit, unit, told] of [[1e-3, 1e-6, "µs"], [1, 1e-3, "ms"], [120, 1, "s"], [7200, 60, "min"], [172800, 3600, "h"]])
    if (seconds < limit) return `${Number((seconds / unit).toPrecision(3))} ${told}`;
  return `${Number((seconds / 86400).toPrecision(3))} d`;
}

// ---- cells by number -----------------------------------------------------------------
function cellName(place, number) {
  const node = data.nodes[place];
  if (!node) return `cell ${number}`;
  if (!node.axes.length) return node.name;
  const shown = (node.cells || []).find((cell) => cell.number === number);
  if (shown) return shown.cell;
  if (!node.labels) return `${node.name}[cell ${number}]`;
  let rest = number;
  const along = [];
  for (let axis = node.labels.length - 1; axis >= 0; axis--) {
    const labels = node.labels[axis];
    along.unshift(`${node.axes[axis]}=${labels[rest % labels.length]}`);
    rest = Math.floor(rest / labels.length);
  }
  return `${node.name}[${along.join(", ")}]`;
}
// The tasks that took most time have a colour each; all others share one.
const tasks = data.tasks.slice(0, TASKS.length).map((task) => task.task);
const rankOf = new Map(tasks.map((task, rank) => [task, rank]));
const colour = (task) => rankOf.has(task) ? TASKS[rankOf.get(task)] : OTHER;
const colourOf = (place) => colour(data.nodes[place].task || data.nodes[place].name);
const short = (task) => task.split(".").pop();

// ---- head ----------------------------------------------------------------------------
function head() {
  const run = data.run, began = new Date(run.began * 1000);
  const figure = (value, told) => el("div", { class: "figure" }, el("b", {}, value), el("span", {}, told));
  const counts = Object.entries(run.counts).filter(([, number]) => number)
    .map(([state, number]) => `${number.toLocaleString("en")} ${TOLD[state] || state}`);
  const status = RUN_STATES[run.status] || "waiting";
  $("head").append(el("div", {},
    el("div", { class: "title" }, el("h1", { title: run.flow }, name(run.flow)),
      el("span", { class: "state", "data-status": run.status, style: { color: run.status === "done" ? "var(--good)" : status === "failed" ? "var(--bad)" : "var(--soft)" } }, sign(status), run.status)),
    el("span", { class: "id" }, `${run.id} · ${began.toLocaleString("en-GB")}`),
    el("div", { class: "figures" },
      figure(duration(run.seconds), "wall time"),
      figure(run.cells.toLocaleString("en"), counts.join(", ") || "cells"),
      figure(`${Math.round(run.utilisation * 100)} %`, `${count(run.workers, "worker")} busy`),
      figure(duration(run.path), `critical path, ${duration(run.path_waited)} of it waiting`))));
  if (data.notes.length) {
    $("notes").hidden = false;
    $("notes").append(...data.notes.map((note) => el("p", {}, note)));
  }
  document.querySelector("footer").textContent = `Made by flowcore on ${new Date(run.made * 1000).toLocaleString("en-GB")}. This page loads nothing.`;
}

// ---- failures ------------------------------------------------------------------------
function pairs(rows) {
  return el("dl", { class: "facts" }, rows.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([key, value]) => [el("dt", {}, name(key)), el("dd", {}, typeof value === "string" ? name(value) : value)]));
}
function failed(failure, whole) {
  return el("div", { class: "failure" },
    whole && el("h3", {}, failure.node === null ? name(failure.cell) : link(failure.cell, () => { showCell(failure.node, failure.number); reveal("graph"); })),
    el("div", { class: "what" }, name(failure.text ? `${failure.type}: ${failure.text}` : failure.type)),
    el("div", { class: "soft" }, [failure.at, failure.attempts > 1 && `${failure.attempts} attempts`].filter(Boolean).join(" · ")),
    failure.arguments.length ? el("div", {}, el("h4", {}, "Called with"), pairs(failure.arguments)) : null,
    failure.traceback && el("details", { open: whole }, el("summary", {}, "Traceback"), el("pre", {}, failure.traceback)),
    failure.printed && el("details", {}, el("summary", {}, "What it printed"), el("pre", {}, failure.printed)),
    failure.again && el("div", {}, el("h4", {}, "Again, alone"), el("code", { class: "mono" }, failure.again)));
}
function failures() {
  if (!data.failures.length) return;
  $("failures").hidden = false;
  const list = $("failures").querySelector(".list");
  const kinds = new Map();
  for (const failure of data.failures) {
    const kind = `${failure.type} ${failure.at || failure.node}`;
    kinds.set(kind, [...(kinds.get(kind) || []), failure]);
  }
  for (const [first, ...others] of kinds.values()) {
    const card = failed(first, true);
    if (others.length) card.append(el("details", {}, el("summary", {}, `${count(others.length, "more cell")} in the same way`), others.map((other) => el("div", {}, other.node === null ? name(other.cell) : link(other.cell, () => { showCell(other.node, other.number); reveal("graph"); }), el("span", { class: "soft" }, ` ${other.text.slice(0, 200)}`)))));
    list.append(card);
  }
  if (data.failed > data.failures.length) list.append(el("p", { class: "soft" }, `and ${count(data.failed - data.failures.length, "cell")} that are not on this page`));
}

// ---- the panel -----------------------------------------------------------------------
const panel = $("panel");
const reveal = (id) => $(id).scrollIntoView({ behavior: "smooth", block: "start" });
function fill(...children) {
  panel.replaceChildren(...children.flat(9).filter(Boolean));
  panel.scrollTop = 0;
}
function statesBar(states) {
  const all = Object.entries(states), total = all.reduce((sum, [, number]) => sum + number, 0) || 1;
  return [el("div", { class: "states" }, all.map(([state, number]) => el("i", { style: { flex: String(number / total), background: (STATES[state] || STATES.waiting)[0] } }))),
    el("div", { class: "chips" }, all.map(([state, number]) => el("span", {}, sign(state), ` ${number.toLocaleString("en")} ${TOLD[state] || state}`)))];
}
function image(cell, big) {
  const curve = cell.picture.startsWith("data:image/svg");
  return el("img", { src: cell.picture, class: `${big ? "big" : ""}${curve ? " curve" : ""}`, alt: `picture of the value of ${cell.cell}` });
}
function diffed(text) {
  return el("pre", {}, text.split("\n").map((line) => el("span", { class: line[0] === "+" ? "add" : line[0] === "-" ? "cut" : null }, line + "\n")));
}
function showNode(place) {
  const node = data.nodes[place], cells = node.cells || [];
  mark(place);
  const pictured = cells.filter((cell) => cell.picture);
  fill(
    el("h3", { id: "panel-title" }, name(node.name)),
    el("div", { class: "soft" }, `${node.kind === "io" ? "I/O" : node.kind}${node.runner ? `, ${node.runner}` : ""}${node.axes.length ? ` over ${node.axes.join(" × ")}` : ""}`),
    statesBar(node.states),
    pairs([["task", node.task], ["drawn at", node.site], ["in", node.group.join(" / ")], ["seconds", node.seconds ? `${duration(node.seconds)} in all${node.median !== undefined && cells.length > 1 ? `, median ${duration(node.median)}, longest ${duration(node.longest)}` : ""}` : ""]]),
    node.reason && [el("h4", {}, "Why"), el("div", {}, node.reason)],
    node.diff && el("details", {}, el("summary", {}, "What changed in its code"), diffed(node.diff)),
    node.arguments && node.arguments.length > 0 && [el("h4", {}, "Arguments"), pairs(node.arguments.map(([parameter, told, source]) => [parameter, source === null ? told : link(told, () => showNode(source))]))],
    node.more_arguments > 0 && el("div", { class: "soft" }, `and ${node.more_arguments} more`),
    node.after && node.after.length > 0 && [el("h4", {}, "After"), el("div", {}, node.after.map((source) => [link(data.nodes[source].name, () => showNode(source)), " "]))],
    pictured.length > 0 && [el("h4", {}, "Results"), el("div", { class: "thumbs" }, pictured.map((cell) => el("figure", { on: { click: () => showCell(place, cell.number) } }, image(cell), el("figcaption", { title: cell.cell }, name(node.axes.length ? cell.cell.slice(node.name.length) : cell.value)))))],
    cells.length === 1 ? cellFacts(place, cells[0], pictured.length > 0) : cells.length > 0 && [el("h4", {}, "Cells"), el("table", {}, el("tbody", {}, cells.map((cell) => el("tr", { class: "go", on: { click: () => showCell(place, cell.number) } }, el("td", {}, sign(cell.state), " ", name(cell.cell)), el("td", { class: "num" }, cell.seconds ? duration(cell.seconds) : "")))))],
    !node.cells && el("p", { class: "soft" }, "This page has only sums for this node."));
}
function cellFacts(place, cell, pictured) {
  const failure = data.failures.find((one) => one.node === place && one.number === cell.number);
  return [
    pairs([["state", TOLD[cell.state] || cell.state], ["took", cell.seconds ? duration(cell.seconds) : ""], ["attempts", cell.attempts && String(cell.attempts)], ["value", cell.value], ["key", cell.key]]),
    cell.picture && !pictured && image(cell, true),
    failure && failed(failure, false),
    cell.printed && !failure && [el("h4", {}, "What it printed"), el("pre", {}, cell.printed)]];
}
function showCell(place, number) {
  const node = data.nodes[place], cell = (node.cells || []).find((one) => one.number === number);
  if (!cell && (node.cells || []).length <= 1 && !node.axes.length) return showNode(place);
  mark(place);
  fill(link(node.name, () => showNode(place)), el("h3", { id: "panel-title" }, name(cellName(place, number))),
    cell ? cellFacts(place, cell, false) : el("p", { class: "soft" }, "This page does not show this cell by itself. flowcore show tells more."),
    ranAt(place, number));
}
function showMany(places, told) {
  mark(-1);
  fill(el("h3", { id: "panel-title" }, name(told)), el("p", { class: "soft" }, `${count(places.length, "node")} of one task`),
    el("table", {}, el("tbody", {}, places.slice(0, 300).map((place) => el("tr", { class: "go", on: { click: () => showNode(place) } }, el("td", {}, name(data.nodes[place].name)), el("td", { class: "num" }, duration(data.nodes[place].seconds)))))),
    places.length > 300 && el("p", { class: "soft" }, `and ${count(places.length - 300, "more node")}: find one by its name above`));
}
function nothingChosen() {
  const busiest = data.nodes.map((node, place) => [node.seconds || 0, place]).sort((a, b) => b[0] - a[0]).slice(0, 12).filter(([seconds]) => seconds > 0);
  fill(el("p", { class: "soft" }, "Click a node, or find one."),
    busiest.length > 0 && [el("h4", {}, "Most time"), el("table", {}, el("tbody", {}, busiest.map(([seconds, place]) => el("tr", { class: "go", on: { click: () => showNode(place) } }, el("td", {}, name(data.nodes[place].name)), el("td", { class: "num" }, duration(seconds))))))]);
}

// ---- the graph -----------------------------------------------------------------------
const frame = $("picture"), svg = frame.querySelector("svg");
const boxes = [...svg.querySelectorAll(".fc-node")];
const whole = svg.viewBox.baseVal, all = { x: 0, y: 0, w: whole.width, h: whole.height };
let view = { ...all };
const boxOf = new Map();
data.drawn.forEach((places, i) => places.forEach((place) => boxOf.set(place, i)));
function look(next) {
  const least = Math.min(120, all.w), most = Math.max(all.w, all.h) * 2;
  const w = Math.min(Math.max(next.w, least), most), h = w * all.h / all.w;
  view = { x: next.x, y: next.y, w, h };
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
}
function zoomGraph(factor, at) {
  const point = at || { x: view.x + view.w / 2, y: view.y + view.h / 2 };
  look({ x: point.x - (point.x - view.x) * factor, y: point.y - (point.y - view.y) * factor, w: view.w * factor });
}
function svgPoint(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return { x: point.x, y: point.y };
}
function mark(place) {
  const box = boxOf.get(place), chosen = box === undefined ? null : boxes[box];
  boxes.forEach((one, i) => one.classList.toggle("on", i === box));
  const id = chosen && chosen.getAttribute("data-node");
  svg.querySelectorAll(".fc-edge").forEach((edge) => edge.classList.toggle("on", Boolean(chosen) && (edge.getAttribute("data-from") === id || edge.getAttribute("data-to") === id)));
}
function centre(place) {
  const box = boxes[boxOf.get(place)];
  if (!box) return;
  const bounds = box.getBoundingClientRect(), corner = svgPoint({ clientX: bounds.x + bounds.width / 2, clientY: bounds.y + bounds.height / 2 });
  const w = Math.min(view.w, Math.max(420, all.w / 4));
  look({ x: corner.x - w / 2, y: corner.y - w * all.h / all.w / 2, w });
}
function dragged(target, move, click) {
  let from = null, moved = false;
  target.addEventListener("pointerdown", (event) => { if (event.button === 0) { from = event; moved = false; } });
  window.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (!moved && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < 4) return;
    moved = true;
    target.classList.add("moving");
    move(event.clientX - from.clientX, event.clientY - from.clientY);
    from = event;
  });
  window.addEventListener("pointerup", (event) => {
    target.classList.remove("moving");
    if (from && !moved) click(event);
    from = null;
  });
}
function graph() {
  dragged(frame, (dx, dy) => {
    const scale = 1 / svg.getScreenCTM().a;
    look({ ...view, x: view.x - dx * scale, y: view.y - dy * scale });
  }, (event) => {
    const box = event.target.closest && event.target.closest(".fc-node");
    if (!box) return;
    const places = data.drawn[boxes.indexOf(box)] || [];
    if (places.length === 1) showNode(places[0]); else showMany(places, short(data.nodes[places[0]].task || data.nodes[places[0]].kind));
  });
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomGraph(Math.exp(event.deltaY * 0.002), svgPoint(event));
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) look({ ...view, x: view.x + step[0] * view.w / 8, y: view.y + step[1] * view.h / 8 });
    else if (event.key === "+") zoomGraph(0.8); else if (event.key === "-") zoomGraph(1.25); else if (event.key === "0") look({ ...all });
    else return;
    event.preventDefault();
  });
  $("graph-in").addEventListener("click", () => zoomGraph(0.7));
  $("graph-out").addEventListener("click", () => zoomGraph(1 / 0.7));
  $("graph-fit").addEventListener("click", () => look({ ...all }));
  data.path.forEach((step) => { const box = boxes[boxOf.get(step.node)]; if (box) box.classList.add("path"); });
}

// ---- search --------------------------------------------------------------------------
function search() {
  const input = $("search"), list = $("found");
  let found = [], at = 0;
  const entries = data.nodes.flatMap((node, place) => [{ text: node.name, place, number: null }, ...(node.axes.length ? node.cells || [] : []).map((cell) => ({ text: cell.cell, place, number: cell.number }))]);
  const lower = entries.map((entry) => entry.text.toLowerCase());
  function choose(entry) {
    list.hidden = true;
    boxes.forEach((box) => box.classList.remove("off"));
    if (boxOf.has(entry.place) && view.w < all.w * 0.98) centre(entry.place);
    if (entry.number === null) showNode(entry.place); else showCell(entry.place, entry.number);
  }
  function show() {
    const wanted = input.value.trim().toLowerCase();
    found = [];
    const places = new Set();
    if (wanted) lower.forEach((text, i) => { if (text.includes(wanted)) { places.add(boxOf.get(entries[i].place)); if (found.length < 40) found.push(entries[i]); } });
    boxes.forEach((box, i) => box.classList.toggle("off", Boolean(wanted) && !places.has(i)));
    at = 0;
    list.hidden = !wanted;
    list.replaceChildren(...(found.length ? found.map((entry, i) => el("li", { "aria-selected": String(i === at), on: { pointerdown: (event) => { event.preventDefault(); choose(entry); } } }, name(entry.text))) : [el("li", { class: "soft" }, "nothing of that name")]));
  }
  input.addEventListener("input", show);
  input.addEventListener("focus", show);
  input.addEventListener("blur", () => { list.hidden = true; boxes.forEach((box) => box.classList.remove("off")); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found.length) { choose(found[at]); input.blur(); }
    else if (event.key === "Escape") { input.value = ""; show(); }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
      [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
      if (list.children[at]) list.children[at].scrollIntoView({ block: "nearest" });
      event.preventDefault();
    }
  });
}

// ---- the timeline --------------------------------------------------------------------
const ROW = 20, HEAD = 24, LEFT = 92;
const times = data.timeline;
function unpacked(text, Kind) {
  if (!text) return null;
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}
const columns = times.columns && {
  begins: unpacked(times.columns.begins, Float32Array) || [], fetching: unpacked(times.columns.fetching, Float32Array),
  seconds: unpacked(times.columns.seconds, Float32Array) || [], keeping: unpacked(times.columns.keeping, Float32Array),
  node: unpacked(times.columns.node, Uint16Array) || [], lane: unpacked(times.columns.lane, Uint16Array) || [],
  number: unpacked(times.columns.number, Uint32Array) || [], how: unpacked(times.columns.how, Uint8Array) || [],
};
const bins = times.bins && { shares: unpacked(times.shares, Uint8Array), nodes: unpacked(times.nodes, Uint16Array) };
const firstOf = [0];  // of each lane's rows in the columns
if (columns) for (let lane = 0, row = 0; lane < times.lanes.length; lane++) {
  while (row < columns.lane.length && columns.lane[row] === lane) row++;
  firstOf.push(row);
}
const critical = new Set(data.critical);
const part = (column, row) => column ? column[row] : 0;
const endOf = (row) => columns.begins[row] + part(columns.fetching, row) + columns.seconds[row] + part(columns.keeping, row);
const lanes = $("lanes"), canvas = lanes.querySelector("canvas"), tip = $("tip");
const span = Math.max(times.seconds, 1e-6);
let from = 0, to = span, chosenRow = -1, top = 0;
const colours = () => { const style = getComputedStyle(document.body); return Object.fromEntries(["ink", "soft", "line", "faint", "card"].map((one) => [one, style.getPropertyValue(`--${one}`).trim()])); };
function ranAt(place, number) {
  if (!columns) return null;
  const rows = [];
  for (let row = 0; row < columns.node.length && rows.length < 9; row++) if (columns.node[row] === place && columns.number[row] === number) rows.push(row);
  return rows.map((row) => pairs([["ran", `from ${duration(columns.begins[row])} to ${duration(endOf(row))} on ${times.lanes[columns.lane[row]].name}`], ["ended", HOW[columns.how[row]]], ["inputs", part(columns.fetching, row) ? duration(columns.fetching[row]) : ""], ["result", part(columns.keeping, row) ? duration(columns.keeping[row]) : ""]]));
}
function ticks(width) {
  const about = (to - from) / Math.max(2, width / 110), unit = 10 ** Math.floor(Math.log10(about));
  const step = [1, 2, 5, 10].find((factor) => factor * unit >= about) * unit;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return [found, step];
}
function tickTold(at, step) {
  const [unit, told] = to < 2e-3 ? [1e-6, "µs"] : to < 2 ? [1e-3, "ms"] : to < 300 ? [1, "s"] : to < 18000 ? [60, "min"] : [3600, "h"];
  return `${(at / unit).toFixed(Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)))} ${told}`;
}
function draw() {
  const width = lanes.clientWidth, height = HEAD + Math.max(1, times.lanes.length) * ROW + 6;
  const shown = Math.min(height, 620), scale = window.devicePixelRatio || 1;
  top = Math.min(Math.max(0, top), height - shown);
  canvas.width = width * scale; canvas.height = shown * scale; canvas.style.height = `${shown}px`;
  const pen = canvas.getContext("2d"), paint = colours();
  pen.scale(scale, scale);
  pen.font = "11px system-ui, Arial, sans-serif"; pen.textBaseline = "middle";
  const across = width - LEFT - 8, x = (at) => LEFT + (at - from) / (to - from) * across;
  pen.save();
  pen.beginPath(); pen.rect(0, HEAD, width, shown - HEAD); pen.clip();
  const only = $("show-path").checked, [marks, step] = ticks(across);
  pen.fillStyle = paint.faint;
  for (let i = 1; i < times.lanes.length; i += 2) pen.fillRect(LEFT, HEAD + i * ROW - top, across + 8, ROW);
  pen.strokeStyle = paint.line; pen.lineWidth = 1;
  for (const at of marks) { pen.beginPath(); pen.moveTo(Math.round(x(at)) + 0.5, HEAD); pen.lineTo(Math.round(x(at)) + 0.5, shown); pen.stroke(); }
  times.lanes.forEach((lane, i) => {
    const y = HEAD + i * ROW - top;
    if (y < HEAD - ROW || y > shown) return;
    pen.fillStyle = paint.soft;
    pen.fillText(lane.name.length > 14 ? lane.name.slice(0, 13) + "…" : lane.name, 10, y + ROW / 2, LEFT - 14);
    pen.save();
    pen.beginPath(); pen.rect(LEFT, y, across + 8, ROW); pen.clip();
    if (columns) bars(pen, i, y + 3, ROW - 6, x, only, paint); else shares(pen, i, y + 2, ROW - 4, x);
    pen.restore();
  });
  pen.restore();
  pen.fillStyle = paint.card; pen.fillRect(0, 0, width, HEAD);
  pen.fillStyle = paint.soft;
  for (const at of marks) pen.fillText(tickTold(at, step), x(at) + 4, HEAD / 2);
  const [unit, told] = to < 1e-3 ? [1e-6, "µs"] : to < 1 ? [1e-3, "ms"] : to < 300 ? [1, "s"] : to < 18000 ? [60, "min"] : [3600, "h"];
  const digits = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10((to - from) / unit))));
  $("range").textContent = `${(Math.max(0, from) / unit).toFixed(digits)} – ${(to / unit).toFixed(digits)} ${told}`;
  lanes.dataset.from = from; lanes.dataset.to = to;
}
function bars(pen, lane, y, high, x, only, paint) {
  let last = firstOf[lane + 1], first = firstOf[lane], drawnTo = -1;
  let low = first, up = last;  // ends grow along a lane: skip what lies before the window
  while (low < up) { const mid = (low + up) >> 1; if (endOf(mid) < from) low = mid + 1; else up = mid; }
  for (let row = low; row < last && columns.begins[row] <= to; row++) {
    const a = x(columns.begins[row]), b = Math.max(x(endOf(row)), a + 0.6), on = critical.has(row);
    if (b <= drawnTo && !on && row !== chosenRow) continue;  // hidden below what this pixel shows already
    pen.globalAlpha = only && !on ? 0.13 : 1;
    const place = columns.node[row], lost = columns.how[row] > 1;
    const c = x(columns.begins[row] + part(columns.fetching, row)), d = x(columns.begins[row] + part(columns.fetching, row) + columns.seconds[row]);
    pen.fillStyle = lost ? "#d55e00" : colourOf(place);
    if (b - a > 3 && (c - a > 0.5 || b - d > 0.5)) { pen.globalAlpha *= 0.42; pen.fillRect(a, y, b - a, high); pen.globalAlpha /= 0.42; pen.fillRect(c, y, Math.max(0.6, d - c), high); }
    else pen.fillRect(a, y, b - a > 3 ? b - a - 0.6 : b - a, high);
    if (lost && b - a > 4) { pen.strokeStyle = "rgba(255,255,255,.5)"; pen.lineWidth = 1.4; pen.beginPath(); for (let at = a; at < b + high; at += 7) { pen.moveTo(at, y + high); pen.lineTo(at + high, y); } pen.save(); const cut = new Path2D(); cut.rect(a, y, b - a, high); pen.clip(cut); pen.stroke(); pen.restore(); }
    if (on) { pen.fillStyle = paint.ink; pen.fillRect(a, y - 2.5, Math.max(1, b - a), 2.5); }
    if (row === chosenRow) { pen.strokeStyle = paint.ink; pen.lineWidth = 2; pen.strokeRect(a + 1, y + 1, Math.max(1, b - a - 2), high - 2); }
    if (b - a > 60) {
      pen.fillStyle = ["#0072b2", "#d55e00"].includes(lost ? "#d55e00" : colourOf(place)) ? "#fff" : "#10161e";
      const told = columns.how[row] > 1 ? `${HOW[columns.how[row]]}: ${data.nodes[place].name}` : cellName(place, columns.number[row]);
      pen.save(); const cut = new Path2D(); cut.rect(a, y, b - a - 4, high); pen.clip(cut); pen.fillText(told.slice(0, 120), Math.max(a, LEFT) + 5, y + high / 2 + 0.5); pen.restore();
    }
    pen.globalAlpha = 1;
    drawnTo = b;
  }
}
function shares(pen, lane, y, high, x) {
  const wide = span / times.bins;
  for (let bin = Math.max(0, Math.floor(from / wide)); bin < times.bins && bin * wide <= to; bin++) {
    const share = bins.shares[lane * times.bins + bin] / 255;
    if (!share) continue;
    pen.fillStyle = colourOf(bins.nodes[lane * times.bins + bin]);
    const a = x(bin * wide);
    pen.fillRect(a, y + high * (1 - share), Math.max(0.5, x((bin + 1) * wide) - a), high * share);
  }
}
function rowAt(event) {
  const bounds = canvas.getBoundingClientRect(), px = event.clientX - bounds.x, py = event.clientY - bounds.y + top;
  const lane = Math.floor((py - HEAD) / ROW);
  if (!columns || event.clientY - bounds.y < HEAD || lane < 0 || lane >= times.lanes.length || px < LEFT) return -1;
  const across = bounds.width - LEFT - 8, at = from + (px - LEFT) / across * (to - from), near = 3 * (to - from) / across;
  let best = -1, least = near;
  for (let row = firstOf[lane]; row < firstOf[lane + 1] && columns.begins[row] <= at + near; row++) {
    const away = Math.max(0, columns.begins[row] - at, at - endOf(row));
    if (away <= least) { best = row; least = away; }
  }
  return best;
}
function window_(a, b) {
  const least = Math.max(span / 1e6, 1e-6), length = Math.min(Math.max(b - a, least), span * 1.02);
  from = Math.min(Math.max(a, -span * 0.01), span * 1.01 - length);
  to = from + length;
  draw();
}
function zoomTime(factor, at) {
  const centre_ = at === undefined ? (from + to) / 2 : at;
  window_(centre_ - (centre_ - from) * factor, centre_ + (to - centre_) * factor);
}
function timeline() {
  window_(0, span * 1.01);
  const scale = () => (to - from) / (lanes.clientWidth - LEFT - 8);
  const at = (event) => from + (event.clientX - canvas.getBoundingClientRect().x - LEFT) * scale();
  dragged(lanes, (dx, dy) => { top -= dy; window_(from - dx * scale(), to - dx * scale()); }, (event) => {
    const row = rowAt(event);
    if (row < 0) return;
    chosenRow = row;
    draw();
    showCell(columns.node[row], columns.number[row]);
  });
  lanes.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoomTime(Math.exp(event.deltaY * 0.003), at(event)); }
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); const by = (event.deltaX || event.deltaY) * scale(); window_(from + by, to + by); }
  }, { passive: false });
  lanes.addEventListener("dblclick", (event) => zoomTime(0.4, at(event)));
  lanes.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) window_(from + step * (to - from) / 8, to + step * (to - from) / 8);
    else if (event.key === "+") zoomTime(0.7); else if (event.key === "-") zoomTime(1 / 0.7); else if (event.key === "0") window_(0, span * 1.01);
    else return;
    event.preventDefault();
  });
  lanes.addEventListener("pointermove", (event) => {
    const row = rowAt(event);
    tip.hidden = row < 0;
    if (row < 0) return;
    tip.replaceChildren(name(cellName(columns.node[row], columns.number[row])), el("br"), `${duration(columns.seconds[row])}${columns.how[row] ? `, ${HOW[columns.how[row]]}` : ""}${part(columns.fetching, row) + part(columns.keeping, row) > 0 ? `, and ${duration(part(columns.fetching, row) + part(columns.keeping, row))} of inputs and result` : ""}`);
    const bounds = lanes.getBoundingClientRect();
    tip.style.left = `${Math.min(event.clientX - bounds.x + 14, Math.max(0, bounds.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${Math.max(0, Math.min(event.clientY - bounds.y + 16, bounds.height - tip.offsetHeight - 2))}px`;
  });
  lanes.addEventListener("pointerleave", () => { tip.hidden = true; });
  $("time-in").addEventListener("click", () => zoomTime(0.5));
  $("time-out").addEventListener("click", () => zoomTime(2));
  $("time-fit").addEventListener("click", () => window_(0, span * 1.01));
  $("show-path").addEventListener("change", draw);
  $("show-path").closest("label").hidden = !critical.size;
  window.addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const key = (paint, told) => el("span", {}, el("i", { style: { background: paint } }), name(told));
  const others = columns ? columns.node.some((place) => colourOf(place) === OTHER) : data.nodes.some((_, place) => colourOf(place) === OTHER);
  $("key").append(...tasks.map((task) => key(colour(task), short(task))), others ? key(OTHER, "all others") : "",
    columns ? key("color-mix(in srgb, var(--soft) 35%, transparent)", "inputs and results on the way") : "",
    critical.size ? key("linear-gradient(var(--ink) 25%, var(--faint) 25%)", "critical path") : "",
    columns && columns.how.some((how) => how > 1) ? key("repeating-linear-gradient(135deg,#d55e00 0 3px,#fff 3px 5px)", "attempt without a value") : "",
    times.omitted ? el("span", {}, `and ${count(times.omitted, "lane")} more that are not drawn`) : "");
  if (!times.lanes.length) lanes.replaceChildren(el("p", { class: "soft", style: { padding: "12px" } }, "No cell ran: there is nothing to show along time."));
}

// ---- where time went -----------------------------------------------------------------
function bar(told, seconds, total, colour) {
  return el("div", { class: "bar" }, el("span", {}, told), el("div", {}, el("i", { style: { width: `${100 * seconds / (total || 1)}%`, background: colour } })), el("b", {}, duration(seconds)));
}
function spent() {
  const cards = $("time").querySelector(".cards");
  const worker = Object.entries(data.spent), all_ = worker.reduce((sum, [, seconds]) => sum + seconds, 0);
  const TELL = { calling: ["in your functions", "#009e73"], io: ["inputs, results", "#56b4e9"], idle: ["no cell", "#8a929e"] };
  const CAUSE = { dependency: ["inputs", "#0072b2"], worker: ["a worker", "#e69f00"], memory: ["memory", "#cc79a7"], limit: ["a limit", "#d55e00"], io: ["inputs, results", "#56b4e9"], engine: ["flowcore itself", "#8a929e"] };
  if (worker.length) cards.append(el("div", {}, el("h4", {}, `Time of ${count(data.run.workers, "worker")}`), worker.map(([what, seconds]) => bar(TELL[what][0], seconds, all_, TELL[what][1]))));
  const waited = Object.entries(data.waiting).filter(([, seconds]) => seconds > 0), most = waited.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (waited.length) cards.append(el("div", {}, el("h4", {}, "What cells waited for, summed over cells"), waited.map(([cause, seconds]) => bar(CAUSE[cause][0], seconds, most, CAUSE[cause][1]))));
  if (data.tasks.length) cards.append(el("div", { class: "wide scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ["task", "cells", "in all", "median", "mean", "longest", "inputs, results", "attempts lost"].map((told, i) => el("th", { class: i ? "num" : null }, told)))),
    el("tbody", {}, data.tasks.map((task) => el("tr", {}, el("td", {}, el("i", { class: "dot", style: { display: "inline-block", width: "10px", height: "10px", borderRadius: "3px", marginInlineEnd: "7px", background: colour(task.task) } }), name(task.task)), [task.cells.toLocaleString("en"), duration(task.total), duration(task.median), duration(task.mean), duration(task.longest), duration(task.around), task.lost || ""].map((told) => el("td", { class: "num" }, String(told)))))))));
  if (!cards.children.length) cards.append(el("p", { class: "soft" }, "Nothing ran: every value was there already."));
  if (data.path.length) {
    $("path").hidden = false;
    $("path").querySelector("p").textContent = `The chain of cells that decided the wall time: ${duration(data.run.path)}, during ${duration(data.run.path_waited)} of which none of them ran. ${pathTold()}`;
    $("path").querySelector("table").append(el("thead", {}, el("tr", {}, ["cell", "began", "took", "waited before", "for"].map((told, i) => el("th", { class: i && i < 4 ? "num" : null }, told)))),
      el("tbody", {}, data.path.map((step) => el("tr", {}, el("td", {}, step.node === null ? name(step.cell) : link(step.cell, () => { showNode(step.node); reveal("graph"); })), [duration(step.began), duration(step.seconds), step.waited > 1e-4 ? duration(step.waited) : ""].map((told) => el("td", { class: "num" }, told)), el("td", {}, step.waited > 1e-4 ? CAUSE[step.cause][0] : "")))));
  }
}

function pathTold() {
  const waits = {};
  for (const step of data.path) if (step.waited > 1e-4) waits[step.cause] = (waits[step.cause] || 0) + step.waited;
  const [cause, seconds] = Object.entries(waits).sort((a, b) => b[1] - a[1])[0] || ["", 0];
  if (seconds < data.run.path / 4) return "Shorten one of these, and the run takes less; shorten another cell, and it hardly does.";
  return { worker: "They waited for a worker most: more workers would help, or less work elsewhere.", limit: "They waited for a limit most: a higher one would help, if what it protects bears it.", memory: "They waited for memory most: more of it would help, or smaller cells.", engine: "They waited for flowcore itself most: larger cells would help, and fewer." }[cause];
}

// ---- live numbers --------------------------------------------------------------------
function metrics() {
  if (!data.metrics.length) return;
  $("metrics").hidden = false;
  const cards = $("metrics").querySelector(".cards");
  for (const loop of data.metrics) for (const [series, values] of [...Object.entries(loop.series), ...(Object.keys(loop.series).length ? [] : [["step", loop.steps]])]) {
    const points = loop.steps.map((step, i) => [step, values[i]]).filter(([, value]) => value !== null);
    const low = Math.min(...points.map((p) => p[1])), high = Math.max(...points.map((p) => p[1])), last = Math.max(...loop.steps, loop.of || 0) || 1;
    const at = points.map(([step, value]) => [6 + 388 * step / last, high > low ? 108 - 96 * (value - low) / (high - low) : 60]);
    const place = points.length ? `${Number(low.toPrecision(4))} to ${Number(high.toPrecision(4))}` : "not finite";
    cards.append(el("div", { class: "curve-card" }, el("h4", {}, name(series)), loop.node === null ? name(loop.cell) : link(loop.cell, () => { showNode(loop.node); reveal("graph"); }),
      shape("svg", { viewBox: "0 0 400 120", preserveAspectRatio: "none", role: "img" }, shape("path", { d: at.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join(""), fill: "none", stroke: "var(--accent)", "stroke-width": 2, "vector-effect": "non-scaling-stroke" }), ...at.slice(0, 80).map(([px, py]) => shape("circle", { cx: px, cy: py, r: 2.2, fill: "var(--accent)" }))),
      el("div", { class: "soft" }, `${place}; ${loop.last.split(",")[0]}`)));
  }
}
function environment() {
  $("environment").querySelector("dl").append(...data.environment.map(([key, value]) => el("div", {}, el("dt", {}, name(key)), el("dd", {}, name(value)))));
}

head(); failures(); graph(); search(); nothingChosen(); timeline(); spent(); metrics(); environment();
if (data.failures.length && data.failures[0].node !== null) showCell(data.failures[0].node, data.failures[0].number);
document.body.dataset.ready = "yes";
})();
