// SPDX-License-Identifier: Apache-2.0
// A file of a large run: shows the calls that somebody looks at, out of packed pieces.

"use strict";

const PAGE = 100, LOG = 200, KEPT = 60;

async function unpack(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

let index, ends;
const pieces = new Map();

function call(n) {
  const id = Math.floor(n / index.piece);
  if (!pieces.has(id)) {
    if (pieces.size >= KEPT) pieces.delete(pieces.keys().next().value);
    pieces.set(id, unpack("piece-" + id));
  }
  return pieces.get(id).then((piece) => piece[n % index.piece]);
}

// Behind the last call below each call.
function endsOf(levels) {
  const ends = new Int32Array(levels.length), open = [];
  for (let n = 0; n <= levels.length; n++) {
    while (open.length && (n === levels.length || levels[open.at(-1)] >= levels[n])) ends[open.pop()] = n;
    open.push(n);
  }
  return ends;
}

function childrenOf(n) {
  const found = [];
  for (let child = n + 1; child < ends[n]; child = ends[child]) found.push(child);
  return found;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function lineOf(n, path) {
  const [what, outcome, status, facts, at] = await call(n);
  const line = document.createDocumentFragment();
  const code = element("code", "call", what);
  code.append(element("span", "outcome " + status, outcome));
  if (path) line.append(element("span", "path dim", at + " "));
  line.append(code, element("span", "dim", " " + facts));
  return line;
}

async function nodeOf(n, unfolded) {
  const node = element("details", "node"), summary = element("summary");
  node.dataset.call = n;
  summary.append(await lineOf(n));
  node.append(summary);
  node.addEventListener("toggle", () => node.open && fill(node));
  if (unfolded) { await fill(node); node.open = true; }
  return node;
}

async function fill(node, from = 0) {
  if (node.dataset.filled && !from) return;
  node.dataset.filled = "1";
  const n = Number(node.dataset.call);
  let inside = node.querySelector(":scope > .inside");
  if (!inside) {
    inside = element("div", "inside");
    const values = element("details", "values");
    values.append(element("summary", "", "details"));
    values.addEventListener("toggle", async () => {
      if (!values.dataset.filled) {
        values.dataset.filled = "1";
        // Made, and escaped, when the file was written.
        values.insertAdjacentHTML("beforeend", (await call(n))[5]);
      }
    });
    inside.append(values);
    node.append(inside);
  }
  const children = childrenOf(n);
  for (const child of children.slice(from, from + PAGE)) inside.append(await nodeOf(child));
  const left = children.length - from - PAGE;
  if (left > 0) {
    const more = element("button", "", left.toLocaleString("en") + " more");
    more.addEventListener("click", () => { more.remove(); fill(node, from + PAGE); });
    inside.append(more);
  }
}

// Unfolds what is above a call, and goes there.
async function reveal(n) {
  show("tree");
  const above = [];
  for (let m = 0; m !== n; m = childrenOf(m).findLast((child) => child <= n)) above.push(m);
  let node = document.querySelector("#tree > details");
  for (const m of [...above.slice(1), n]) {
    await fill(node);
    node.open = true;
    const inside = node.querySelector(":scope > .inside");
    let next = inside.querySelector(`:scope > details[data-call="${m}"]`);
    if (!next) { next = await nodeOf(m); inside.append(next); }
    node = next;
  }
  await fill(node);
  node.open = true;
  node.firstChild.focus();
  node.scrollIntoView({ block: "center" });
}

function found() {
  const name = document.getElementById("name").value.trim().toLowerCase();
  const status = document.getElementById("status").value;
  const names = index.names.map((one) => one.toLowerCase().includes(name));
  const calls = [];
  for (let n = 0; n < index.levels.length; n++) {
    if (names[index.nameOf[n]] && (!status || index.statuses[index.statusOf[n]] === status)) calls.push(n);
  }
  return calls;
}

let asked = 0;
async function log(start = 0) {
  const mine = ++asked, calls = found(), list = element("ol", "log");
  for (const n of calls.slice(start, start + LOG)) {
    const item = element("li"), button = element("button", "plain");
    button.append(await lineOf(n, true));
    button.addEventListener("click", () => reveal(n));
    item.append(button);
    list.append(item);
  }
  if (mine !== asked) return;
  const told = element("p", "dim", calls.length.toLocaleString("en") + " calls ");
  for (const [text, to] of [["Earlier", start - LOG], ["Later", start + LOG]]) {
    if (to < 0 || to >= calls.length) continue;
    const button = element("button", "", text);
    button.addEventListener("click", () => log(to));
    told.append(button, " ");
  }
  document.getElementById("calls").replaceChildren(told, list);
}

function show(view) {
  for (const id of ["tree", "log"]) {
    document.getElementById(id).hidden = id !== view;
    document.querySelector(`[data-view="${id}"]`).setAttribute("aria-pressed", String(id === view));
  }
  if (view === "log" && !document.getElementById("calls").firstChild) log();
}

async function begin() {
  index = await unpack("index");
  ends = endsOf(index.levels);
  document.getElementById("tree").replaceChildren(await nodeOf(0, true));
  const status = document.getElementById("status");
  for (const one of [...index.statuses].sort()) status.append(element("option", "", one));
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => show(button.dataset.view));
  document.getElementById("find").addEventListener("input", () => { show("log"); log(); });
  document.getElementById("find").addEventListener("submit", (event) => event.preventDefault());
}

begin();
