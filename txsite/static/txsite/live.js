// An open page follows the ledger. While it is looked at, it asks whether anything has changed and
// puts what has into place; open editors, the focus and the scroll position stay as they are.
// A module, beside edit.js and app.js, whose functions it calls.

const SHORT = 3_000; // milliseconds between two questions while somebody is there
const LONG = 60_000; // at the most, while nobody is, or the server does not answer
const IDLE = 60_000; // without a key, a click or a scroll

const live = document.getElementById("live");
const hasEditors = typeof keepEditor === "function";
let revision = Number(document.getElementById("receipt").dataset.revision);
let pause = SHORT;
let touched = Date.now();
let timer;
let asking = null; // what ends the question that is under way

// --- Asking --------------------------------------------------------------------------------------

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(look, delay);
}

// One question at a time, and none while nobody sees the page.
function look() {
  if (!asking && document.visibilityState === "visible") ask(askForChanges);
}

async function ask(question) {
  clearTimeout(timer);
  const mine = new AbortController();
  asking = mine;
  let isAnswered = false;
  try {
    isAnswered = await question(mine.signal);
  } catch {
    // No answer; it is asked again.
  }
  if (asking !== mine) return;
  asking = null;
  const isIdle = Date.now() - touched > IDLE;
  pause = isAnswered && !isIdle ? SHORT : Math.min(pause * 2, LONG);
  schedule(pause);
}

async function askForChanges(signal) {
  const url = `${live.dataset.changes}?since=${revision}`;
  const answer = await fetch(url, { headers: { Accept: "application/json" }, redirect: "manual", signal });
  if (answer.status === 204) return true;
  if (answer.type === "opaqueredirect" || answer.status === 403) return loggedOut();
  if (!answer.ok) return false;
  // Less than before: the database was put back to an earlier state, which is the present now.
  revision = Math.min(revision, (await answer.json()).revision);
  return refresh(signal);
}

// This page itself, with its filter, order and place, as it is now.
async function refresh(signal) {
  const answer = await fetch(location.href, { redirect: "manual", signal });
  if (answer.type === "opaqueredirect" || answer.status === 403) return loggedOut();
  if (answer.status === 404) return end("This is no longer in the ledger: somebody has removed it.");
  // A filter that names what is gone by now answers 400, and the page says so.
  if (!answer.ok && answer.status !== 400) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const receipt = page.getElementById("receipt");
  // What was saved meanwhile is not taken back by a page that was read before.
  if (signal.aborted || Number(receipt.dataset.revision) < revision) return false;
  revision = Number(receipt.dataset.revision);
  putIntoPlace(page.getElementById("live"));
  morph(document.getElementById("receipt"), receipt);
  return true;
}

function loggedOut() {
  const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "Log in" });
  return end("You are logged out, so this page no longer follows the ledger. ", link);
}

// Nothing is asked any more: this question never ends.
function end(...told) {
  const line = document.createElement("p");
  line.className = "message error";
  line.append(...told);
  document.getElementById("messages").append(line);
  return new Promise(() => {});
}

function lookSoon() {
  pause = SHORT;
  look();
}

for (const type of ["keydown", "pointerdown", "scroll"]) {
  addEventListener(type, () => {
    touched = Date.now();
    if (pause > SHORT) lookSoon();
  }, { passive: true });
}
for (const type of ["focus", "online"]) addEventListener(type, lookSoon);
document.addEventListener("visibilitychange", lookSoon);
// After an edit of one's own, which other rows may show too.
document.addEventListener("saved", (event) => {
  revision = Math.max(revision, event.detail);
  asking?.abort();
  ask(refresh);
});
schedule(SHORT);

// --- Putting into place --------------------------------------------------------------------------

let rows; // what one refresh did to the rows

function putIntoPlace(fresh) {
  rows = { changed: 0, new: 0, gone: 0 };
  for (const row of live.querySelectorAll("tr.is-new, tr.is-changed")) row.removeAttribute("class");
  const focused = document.activeElement;
  const anchor = firstRowInSight();
  const before = anchor?.getBoundingClientRect().top;
  if (isEdited(live) && !fresh.querySelector("tbody")) fresh = withoutRows();
  const isOther = morphChildren(live, fresh);
  if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - before);
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  const parts = Object.entries(rows).filter(([, count]) => count).map(([what, count]) => `${count} ${what}`);
  if (parts.length) announce(`The ledger has changed: ${parts.join(", ")}.`);
  else if (isOther) announce("The ledger has changed, and this page with it.");
}

// Under the top of the page nothing may move; at the top, new rows come into sight.
function firstRowInSight() {
  if (scrollY === 0) return undefined;
  return [...live.querySelectorAll("tr[data-id]")].find((row) => row.getBoundingClientRect().bottom > 0);
}

function isEdited(element) {
  return hasEditors && element.querySelector("td > .editor") !== null;
}

// No row is left, but somebody is writing in one.
function withoutRows() {
  const kept = live.cloneNode(true);
  kept.querySelector("tbody").replaceChildren();
  kept.querySelector("#count")?.replaceChildren("0");
  return kept;
}

// Whether `old` had to become like `fresh`. What is the same already stays the same node.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return false;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return true;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return true;
  }
  if (hasEditors && opened.has(old)) return keepEditor(old, fresh);
  const isOther = morphAttributes(old, fresh);
  return morphChildren(old, fresh) || isOther;
}

function morphAttributes(old, fresh) {
  const gone = [...old.attributes].filter(({ name }) => !fresh.hasAttribute(name));
  const other = [...fresh.attributes].filter(({ name, value }) => old.getAttribute(name) !== value);
  for (const { name } of gone) old.removeAttribute(name);
  for (const { name, value } of other) old.setAttribute(name, value);
  return gone.length + other.length > 0;
}

function morphChildren(old, fresh) {
  if (old.nodeName === "TBODY" && [...old.rows, ...fresh.rows].every((row) => row.dataset.id)) {
    morphRows(old, fresh);
    return false; // rows are counted by themselves
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  let isOther = before.length !== after.length;
  after.forEach((node, place) => {
    if (place < before.length) isOther = morph(before[place], node) || isOther;
    else old.append(node);
  });
  for (const node of before.slice(after.length)) node.remove();
  return isOther;
}

// A row stays the same row wherever it goes.
function morphRows(body, fresh) {
  const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  const stay = new Set([...fresh.rows].map((row) => row.dataset.id));
  for (const [id, row] of known) if (!stay.has(id)) takeOut(row);
  let place = body.firstElementChild;
  for (const row of [...fresh.rows]) {
    while (place?.classList.contains("is-gone") && place.dataset.id !== row.dataset.id) place = place.nextElementSibling;
    const old = known.get(row.dataset.id);
    if (!old) {
      body.insertBefore(row, place);
      mark(row, "new");
      continue;
    }
    if (old === place) place = place.nextElementSibling;
    else body.insertBefore(old, place);
    old.removeAttribute("class");
    if (morph(old, row)) mark(old, "changed");
  }
}

function mark(row, what) {
  row.classList.add(`is-${what}`);
  rows[what] += 1;
}

function takeOut(row) {
  if (!row.classList.contains("is-gone")) rows.gone += 1;
  if (!isEdited(row)) return row.remove();
  row.classList.add("is-gone");
  const why = "somebody has removed it, or it does not fit the filter any more";
  for (const form of row.querySelectorAll("td > .editor")) {
    warn(form, `This transaction is no longer in this list: ${why}. What you wrote is still here.`);
  }
  return undefined;
}
