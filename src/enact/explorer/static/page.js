// SPDX-License-Identifier: Apache-2.0
// What pages do beyond links: the address keeps their state, keys walk the tree.
// Nothing here is needed to read them.

document.documentElement.classList.add("script");

// Filters are kept in the address.
for (const form of document.querySelectorAll("form[data-state]")) {
  const keep = () => {
    const query = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (value) query.set(key, value);
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  };
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
}

// A tree: folding, selecting, keys. What is unfolded and selected is in the address.
const details = () => document.getElementById("details");
const treeOf = (element) => element.closest("[role=tree]");
const linesOf = (tree) => [...tree.querySelectorAll(".line")];

function keepTree(tree) {
  const unfolded = linesOf(tree).filter((line) => line.getAttribute("aria-expanded") === "true");
  const query = new URLSearchParams(location.search);
  query.set("open", unfolded.map((line) => line.dataset.path).join(",") || "-");
  const chosen = tree.querySelector('.line[aria-selected="true"]');
  if (chosen) query.set("call", chosen.dataset.path);
  history.replaceState(null, "", location.pathname + "?" + query.toString().replaceAll("%2C", ","));
}

async function fold(line) {
  const tree = treeOf(line);
  const level = Number(line.dataset.level);
  if (line.getAttribute("aria-expanded") === "true") {
    line.setAttribute("aria-expanded", "false");
    while (line.nextElementSibling && Number(line.nextElementSibling.dataset.level) > level) {
      line.nextElementSibling.remove();
    }
  } else if (line.getAttribute("aria-expanded") === "false") {
    line.setAttribute("aria-expanded", "true");
    const query = new URLSearchParams({ at: line.dataset.path });
    await htmx.ajax("GET", `${tree.dataset.base}/lines?${query}`, { target: line, swap: "afterend" });
  }
  keepTree(tree);
}

function choose(line) {
  const tree = treeOf(line);
  for (const other of tree.querySelectorAll('.line[aria-selected="true"]')) {
    other.setAttribute("aria-selected", "false");
    other.tabIndex = -1;
  }
  line.setAttribute("aria-selected", "true");
  line.tabIndex = 0;
  details()?.removeAttribute("hx-morph-skip");
  keepTree(tree);
}

let waiting = 0;
function go(line) {
  if (!line) return;
  for (const other of treeOf(line).querySelectorAll('.line[tabindex="0"]')) other.tabIndex = -1;
  line.tabIndex = 0;
  line.focus();
  clearTimeout(waiting);
  waiting = setTimeout(() => line.isConnected && line.querySelector("a.call")?.click(), 150);
}

document.addEventListener("click", (event) => {
  const line = event.target.closest?.("[role=tree] .line");
  if (!line || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (event.target.closest(".fold")) {
    event.preventDefault();
    fold(line);
  } else if (event.target.closest("a.call")) {
    choose(line);
  }
});

document.addEventListener("keydown", (event) => {
  const line = event.target.closest?.("[role=tree] .line");
  if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
  const lines = linesOf(treeOf(line));
  const at = lines.indexOf(line);
  const level = Number(line.dataset.level);
  const expanded = line.getAttribute("aria-expanded");
  switch (event.key) {
    case "ArrowDown": case "j": go(lines[at + 1]); break;
    case "ArrowUp": case "k": go(lines[at - 1]); break;
    case "Home": go(lines[0]); break;
    case "End": go(lines[lines.length - 1]); break;
    case "ArrowRight":
      if (expanded === "false") fold(line);
      else if (expanded === "true") go(lines[at + 1]);
      break;
    case "ArrowLeft":
      if (expanded === "true") fold(line);
      else go(lines.slice(0, at).reverse().find((other) => Number(other.dataset.level) < level));
      break;
    case "n": case "p": step(event.key === "n" ? "next" : "before"); break;
    case "Enter": case " ": (line.querySelector("a.call") ?? line.querySelector("a"))?.click(); break;
    default: return;
  }
  event.preventDefault();
});

// To another call of the same function, with the tree as it is by now.
function step(to) {
  const link = document.querySelector(`#details [data-step="${to}"]`);
  if (!link) return;
  const address = new URL(link.href);
  const open = new URLSearchParams(location.search).get("open");
  if (open) address.searchParams.set("open", open);
  location.assign(address);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-step]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  step(link.dataset.step);
});

if (location.hash.startsWith("#call-")) document.getElementById(location.hash.slice(1))?.focus();

// While a run goes on its page asks again with the address as it is by now.
document.addEventListener("htmx:config:request", (event) => {
  const ctx = event.detail.ctx;
  if (ctx.sourceElement?.id === "pulse") ctx.request.action = ctx.request.action.split("?")[0] + location.search;
});

// On a narrow screen the details are below the tree.
document.addEventListener("htmx:after:swap", (event) => {
  const ctx = event.detail.ctx;
  if (ctx.target === details() && innerWidth <= 900 && ctx.sourceElement?.matches("a.call")) {
    details().scrollIntoView({ block: "start" });
  }
});
