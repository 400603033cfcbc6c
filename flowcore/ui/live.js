"use strict";
// The page of `flowcore ui`. Everything a run says is put on it as text, never as markup.

const byId = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};

const PARTS = ["done", "hit", "failed", "skipped", "running"];
const REDRAW = 2000; // milliseconds between two pictures
let stream = null;
let shown = null;
let chosen = decodeURIComponent(location.hash.slice(1));
let pictured = 0;
let later = null;

function clocked(seconds) {
  const whole = Math.floor(Number(seconds) || 0);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${String(rest).padStart(2, "0")}` : `${minutes}:${String(rest).padStart(2, "0")}`;
}

function paced(rate) {
  if (!rate) return "";
  for (const [length, unit] of [[1, "s"], [60, "min"], [3600, "h"]]) {
    if (rate * length >= 1 || unit === "h") return `${(rate * length).toPrecision(2)}/${unit}`;
  }
  return "";
}

function fill(bar, counts, cells) {
  const whole = Math.max(1, cells);
  bar.replaceChildren(...PARTS.filter((part) => counts[part]).map((part) => {
    const piece = make("i", undefined, part);
    piece.style.width = `${(100 * counts[part]) / whole}%`;
    piece.title = `${counts[part]} ${part}`;
    return piece;
  }));
}

function rowOf(row) {
  const line = make("tr");
  const bar = make("div", undefined, "bar");
  fill(bar, row, row.cells);
  const middle = make("td");
  middle.append(bar);
  line.append(make("td", row.nodes > 1 ? `${row.name} (${row.nodes} nodes)` : row.name), make("td", `${row.ended} of ${row.cells}${row.open ? "+" : ""}`), middle);
  for (const count of ["running", "done", "hit", "failed", "skipped"]) line.append(make("td", row[count] || "", "n"));
  line.append(make("td", paced(row.rate), "n"));
  return line;
}

function loopOf(loop) {
  const line = make("div", undefined, "loop");
  const bar = make("div", undefined, "bar");
  fill(bar, { done: loop.step }, loop.steps || loop.step);
  const numbers = loop.numbers.map(([name, value]) => `${name} ${Number(value).toPrecision(5)}`);
  const left = loop.seconds_left ? [`about ${clocked(loop.seconds_left)} left`] : [];
  line.append(make("span", loop.cell), bar, make("span", [`step ${loop.step}${loop.steps ? ` of ${loop.steps}` : ""}`, ...numbers, ...left].join(", "), "soft"));
  return line;
}

function failureOf(failure) {
  const card = make("div", undefined, "failure");
  card.append(make("b", failure.cell), make("div", failure.told));
  if (failure.traceback) card.append(make("pre", failure.traceback));
  return card;
}

function list(id, items, of) {
  const section = byId(id);
  section.hidden = !items.length;
  section.querySelector("div").replaceChildren(...items.map(of));
}

function show(board) {
  byId("board").hidden = false;
  shown = { board, at: Date.now() };
  document.title = `${board.status === "running" ? `${board.ended}/${board.cells}` : board.status} · ${board.flow}`;
  byId("flow").textContent = board.flow;
  byId("run").textContent = board.run;
  byId("report").href = `run/${encodeURIComponent(board.run)}/report`;
  const state = byId("state");
  state.textContent = board.status;
  state.className = `state ${board.status}`;
  fill(byId("whole"), Object.fromEntries(PARTS.map((part) => [part, board.rows.reduce((sum, row) => sum + row[part], 0)])), board.cells);
  list("failures", board.failures, failureOf);
  if (board.failed > board.failures.length) byId("failures").querySelector("div").append(make("p", `... and ${board.failed - board.failures.length} more`));
  byId("rows").replaceChildren(...board.rows.map(rowOf));
  byId("hidden").textContent = board.hidden ? `... and ${board.hidden} more tasks` : "";
  list("loops", board.loops, loopOf);
  const printed = byId("printed");
  printed.hidden = !board.printed.length;
  const page = printed.querySelector("pre");
  const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 30;
  page.textContent = board.printed.map((piece) => piece.text).join("");
  if (atEnd) page.scrollTop = page.scrollHeight;
  tick();
  draw(board);
}

function tick() {
  if (!shown) return;
  const { board, at } = shown;
  const seconds = board.status === "running" ? board.seconds + (Date.now() - at) / 1000 : board.seconds;
  const words = [`${board.ended} of ${board.cells}${board.open ? "+" : ""} cells`, clocked(seconds)];
  if (board.status === "running" && board.left !== null) words.push(`${board.sure ? "about" : "at least"} ${clocked(board.left)} left`);
  if (board.parked) words.push(board.parked);
  byId("told").textContent = words.join(", ");
  byId("when").textContent = new Date(board.began * 1000).toLocaleString();
}

function draw(board) {
  const wait = pictured + REDRAW - Date.now();
  clearTimeout(later);
  if (wait > 0) {
    later = setTimeout(() => draw(board), wait);
    return;
  }
  pictured = Date.now();
  byId("picture").src = `run/${encodeURIComponent(board.run)}/picture?at=${pictured}`;
}

function choose(run) {
  if (stream) stream.close();
  chosen = run;
  shown = null;
  pictured = 0;
  history.replaceState(null, "", `#${encodeURIComponent(run)}`);
  stream = new EventSource(`run/${encodeURIComponent(run)}/board`);
  const mine = stream;
  stream.onmessage = (told) => { if (mine === stream) show(JSON.parse(told.data)); };
  stream.addEventListener("over", () => { mine.close(); look(); });
  for (const button of byId("runs").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.run === run));
}

function entry(run) {
  const item = make("li");
  const button = make("button");
  button.dataset.run = run.id;
  button.setAttribute("aria-current", String(run.id === chosen));
  const first = make("b");
  first.append(make("span", run.flow), make("span", run.status, `state ${run.status}`));
  const cells = run.cells.cells === undefined ? "" : `, ${run.cells.cells} cells`;
  button.append(first, make("small", `${new Date(run.began * 1000).toLocaleString()}, ${clocked(run.seconds)}${cells}`));
  button.addEventListener("click", () => choose(run.id));
  item.append(button);
  return item;
}

async function look() {
  let runs = [];
  try {
    runs = await (await fetch("runs")).json();
  } catch {
    return; // the server is gone: what is on the page stays
  }
  byId("nothing").hidden = runs.length > 0;
  byId("runs").replaceChildren(...runs.slice(0, 200).map(entry));
  if (runs.length && !stream) choose(runs.some((run) => run.id === chosen) ? chosen : runs[0].id);
}

look();
setInterval(look, 3000);
setInterval(tick, 1000);
