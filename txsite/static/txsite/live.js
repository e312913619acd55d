// Lists: an open page follows the ledger. It asks whether anything was committed since the
// revision that it shows; then it reads its own address again and takes over what differs in
// the parts marked `data-live`. Rows are known by their `data-id`.
"use strict";

const SHORT = 2000; // milliseconds between two questions while somebody is at the page
const LONG = 32000; // the most, when nobody is or nothing answers
const IDLE = 60000; // nobody is at a page that was not touched for so long
const PATIENCE = 20000; // for an answer
const MARKED = 30000;

let revision = Number(document.getElementById("receipt")?.dataset.revision ?? NaN); // 0 before the first change
let wait = SHORT;
let timer = 0;
let asking = null; // the AbortController of the turn that is under way
let askedAt = 0;
let touched = performance.now();
let failures = 0;
let saving = 0; // how many of the person's own saves are under way
let isOver = Number.isNaN(revision) || !document.querySelector("[data-live]");
let isHolding = false; // something stayed for the sake of an open editor

const served = new WeakMap(); // a part or a row -> its HTML as the server gave it
for (const one of document.querySelectorAll("[data-live], [data-live] tr[data-id]")) served.set(one, one.outerHTML);

// The page can no longer follow: nothing is asked any more, and it says why.
class Over extends Error {}

// --- When to ask

// One turn: at most one is under way. After the person's own save nothing has to be asked first,
// and an answer from before it must not come after it.
async function turn(isOwn = false, atLeast = 0) {
  if (isOver || saving || document.visibilityState !== "visible" || (asking && !isOwn)) return;
  asking?.abort();
  const mine = (asking = new AbortController());
  clearTimeout(timer);
  askedAt = performance.now();
  const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)]);
  try {
    const newest = isOwn ? atLeast : await newestRevision(signal);
    const isLeftOver = isHolding && !document.querySelector("[data-live] .editor");
    if (newest !== null || isLeftOver) await refresh(signal, isOwn, newest ?? revision);
    if (asking !== mine) return;
    failures = 0;
    say();
    wait = performance.now() - touched > IDLE ? Math.min(2 * wait, LONG) : SHORT;
  } catch (error) {
    if (asking !== mine) return;
    fail(error);
  }
  asking = null;
  if (!isOver) timer = setTimeout(turn, wait);
}

// While an own save is under way, what it changes would be taken for somebody else's.
function pause() {
  saving += 1;
  asking?.abort();
  asking = null;
  clearTimeout(timer);
}

function resume(isOwn = false, atLeast = 0) {
  saving -= 1;
  turn(isOwn, atLeast);
}

function fail(error) {
  wait = Math.min(2 * wait, LONG);
  failures += 1;
  isOver = error instanceof Over;
  if (isOver) say(error.message, "Load the page again");
  // A single failure may be a server that is being restarted.
  else if (failures > 1) say("The server cannot be reached, so this page may be old by now. It will catch up by itself.");
}

function touch() {
  touched = performance.now();
  if (wait === SHORT || isOver) return;
  wait = SHORT;
  clearTimeout(timer);
  if (!asking) timer = setTimeout(turn, Math.max(0, askedAt + SHORT - touched));
}

for (const type of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) addEventListener(type, touch, { passive: true });
for (const type of ["focus", "online"]) addEventListener(type, () => turn());
document.addEventListener("visibilitychange", () => {
  touched = performance.now();
  turn();
});
addEventListener("pagehide", () => {
  isOver = true;
  clearTimeout(timer);
  asking?.abort();
});
if (!isOver) timer = setTimeout(turn, wait);

// --- Asking

async function read(url, signal, headers) {
  const answer = await fetch(url, { signal, headers, redirect: "manual", cache: "no-store" });
  if (answer.type === "opaqueredirect") throw new Over("You are logged out: this page no longer follows the ledger.");
  if (answer.status === 403) throw new Over("Your account may no longer see this: the page does not follow the ledger any more.");
  if (answer.status === 404) throw new Over("What this page shows is no longer in the ledger.");
  // A filter may have become one that cannot be read: the page then says so, with 400.
  if (!answer.ok && answer.status !== 400) throw new Error(`The server answered ${answer.status}.`);
  return answer;
}

// The ledger's revision where it is another one than the page's, else null. It may be a lower
// one, when the database was put back to an earlier state.
async function newestRevision(signal) {
  const answer = await read(`/changes/?since=${revision}`, signal, { Accept: "application/json" });
  return answer.status === 204 ? null : (await answer.json()).revision;
}

async function refresh(signal, isOwn, atLeast) {
  const answer = await read(location.pathname + location.search, signal);
  // As something between us might give that keeps pages, whatever they say of it.
  if (Number(answer.headers.get("X-Ledger-Revision")) < atLeast) throw new Error("This page is older than the ledger.");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  signal.throwIfAborted();
  const readAt = Number(answer.headers.get("X-Ledger-Revision"));
  steadily(() => merge(page, isOwn, readAt));
  revision = readAt;
}

// --- Taking over what differs

function merge(page, isOwn, readAt) {
  const tally = { isOwn, readAt, changed: 0, added: 0, removed: 0, of: "", isOther: false };
  const focused = document.activeElement;
  isHolding = false;
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = page.getElementById(part.id);
    const html = now?.outerHTML;
    if (!now || served.get(part) === html) continue;
    tally.isOther = true;
    morph(part, now, tally);
    served.set(part, isHolding ? "" : html);
  }
  document.title = page.title;
  morph(document.getElementById("receipt"), page.getElementById("receipt"), tally);
  if (focused !== document.body && document.activeElement === document.body) document.getElementById("content").focus({ preventScroll: true });
  summarise(tally);
}

function summarise({ isOwn, changed, added, removed, of, isOther }) {
  const counts = [[changed, "changed"], [added, "new"], [removed, "no longer here"]];
  const words = counts.filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
  if (words.length) announce(`${of}: ${words.join(", ")}.`);
  else if (isOther && !isOwn) announce("The page was brought up to date.");
}

// Makes `old` what `now` is, and leaves alone what is the same.
function morph(old, now, tally) {
  if (old.nodeName !== now.nodeName) return replace(old, now, tally);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.matches("tbody:has(> tr[data-id])")) return mergeRows(old, now, tally);
  takeAttributes(old, now);
  const before = [...old.childNodes];
  const after = [...now.childNodes];
  after.forEach((node, index) => {
    if (before[index]) morph(before[index], node, tally);
    else take(node, (one) => old.append(one), tally);
  });
  for (const node of before.slice(after.length)) drop(node, tally);
}

function takeAttributes(old, now) {
  for (const name of old.getAttributeNames()) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

// What was not there before, with all its rows.
function take(node, put, tally) {
  const rows = [...(node.querySelectorAll?.("tr[data-id]") ?? [])];
  put(node);
  for (const row of rows) added(row, tally);
}

function added(row, tally) {
  served.set(row, row.outerHTML);
  tally.of = captionOf(row);
  tally.added += 1;
  mark(row, "is-new");
}

function captionOf(node) {
  return node.closest("table").caption.textContent;
}

function isHeld(node) {
  return node.querySelector?.(".editor") != null;
}

function replace(old, now, tally) {
  if (!isHeld(old)) return take(now, (node) => old.replaceWith(node), tally);
  take(now, (node) => old.before(node), tally);
  drop(old, tally);
}

function drop(node, tally) {
  if (!isHeld(node)) return node.remove();
  for (const row of node.querySelectorAll("tr[data-id]")) dismiss(row, tally);
}

// --- Rows

function mergeRows(body, now, tally) {
  tally.of = captionOf(body);
  const fresh = [...now.rows];
  const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  for (const row of fresh) known.delete(row.dataset.id);
  for (const row of known.values()) dismiss(row, tally);
  const old = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  let last = null; // the row that the next one comes after
  for (const row of fresh) last = putRow(body, old.get(row.dataset.id), row, last, tally);
}

// Rows that did not change stay where they are; those that did go around them. A row with an
// editor does not run away from the person who is typing in it.
function putRow(body, old, row, last, tally) {
  if (!old) {
    insert(body, row, last);
    added(row, tally);
    return row;
  }
  const isChanged = served.get(old) !== row.outerHTML;
  if (isChanged || old.classList.contains("is-gone")) renew(old, row, tally.readAt, tally.isOwn);
  if (isChanged) {
    mark(old, "is-changed");
    tally.changed += 1;
  }
  const next = last ? last.nextElementSibling : body.firstElementChild;
  if (old === next) return old;
  if (isHeld(old)) {
    isHolding = true;
    return last;
  }
  const isBehind = !last || last.compareDocumentPosition(old) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (isChanged || !isBehind) insert(body, old, last);
  return old;
}

function insert(body, row, last) {
  const place = last ? last.nextSibling : body.firstChild;
  // Where the browser can, without losing the focus in it.
  if (row.parentNode === body && body.moveBefore) body.moveBefore(row, place);
  else body.insertBefore(row, place);
}

// A row that is no longer in the list. One with an editor stays until that is closed.
function dismiss(row, tally) {
  if (isHeld(row)) {
    isHolding = true;
    if (row.classList.contains("is-gone")) return;
    row.classList.add("is-gone");
    row.dispatchEvent(new CustomEvent("gone", { bubbles: true }));
    return;
  }
  if (row.contains(document.activeElement)) {
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    if (neighbour) twin(document.activeElement, neighbour)?.focus({ preventScroll: true });
  }
  row.remove();
  tally.removed += 1;
}

// Makes a row what it is now, cell by cell; the cell of an open editor is only told.
function renew(row, now, atRevision, isOwn) {
  served.set(row, now.outerHTML);
  const marks = row.className;
  takeAttributes(row, now);
  row.className = marks;
  row.classList.remove("is-gone");
  const cells = [...now.cells];
  [...row.cells].forEach((cell, index) => {
    const detail = { now: cells[index], revision: atRevision, isOwn };
    if (isHeld(cell)) cell.dispatchEvent(new CustomEvent("renewed", { bubbles: true, detail }));
    else if (!cell.isEqualNode(cells[index])) replaceCell(cell, cells[index]);
  });
}

function replaceCell(cell, now) {
  const focused = cell.contains(document.activeElement) ? document.activeElement : null;
  cell.replaceWith(now);
  if (focused) twin(focused, now)?.focus({ preventScroll: true });
}

// The control in `where` that does what this one did, else the first.
function twin(control, where) {
  for (const name of ["data-edit", "href", "data-copy"]) {
    const same = control.hasAttribute(name) && where.querySelector(`[${name}="${CSS.escape(control.getAttribute(name))}"]`);
    if (same) return same;
  }
  return where.querySelector("a, button");
}

function mark(row, name) {
  row.classList.remove("is-new", "is-changed");
  void row.offsetWidth; // so that the animation begins again
  row.classList.add(name);
  clearTimeout(row.marked);
  row.marked = setTimeout(() => row.classList.remove(name), MARKED);
}

// --- What the person reads stays where it is

function steadily(change) {
  const places = marksOfSight().map((row) => [row, row.getBoundingClientRect().top]);
  change();
  const place = places.find(([row]) => row.isConnected);
  if (place) scrollBy({ top: place[0].getBoundingClientRect().top - place[1], behavior: "instant" });
}

// The row that the person is in, if it can be seen; else the rows that can, whole ones first.
// At the top of the page nothing is above what is seen: what comes there is to be seen.
function marksOfSight() {
  const isSeen = (row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  const mine = document.activeElement?.closest("[data-live] tr");
  if (mine && isSeen(mine)) return [mine];
  if (scrollY === 0) return [];
  const seen = [...document.querySelectorAll("[data-live] tr[data-id]")].filter(isSeen);
  return seen[0]?.getBoundingClientRect().top < 0 ? [...seen.slice(1), seen[0]] : seen;
}

// --- What the page says of itself

function say(text = "", link = "") {
  const line = document.getElementById("live-state");
  if (line?.firstChild.data === text || !(line || text)) return;
  line?.remove();
  if (!text) return;
  const fresh = Object.assign(document.createElement("p"), { id: "live-state", className: "message warning" });
  fresh.append(text);
  if (link) fresh.append(" ", Object.assign(document.createElement("a"), { href: location.pathname + location.search, textContent: link }));
  document.getElementById("messages").append(fresh);
}

// An editor was closed: what stayed for its sake may go now.
function released() {
  if (isHolding) turn(true, revision);
}
