// Editing labels, contact and note in the list, in place. Without script the same links lead
// to the same forms on pages of their own.
"use strict";

// An editor's cell -> what it shows once the editor is closed, the text that the person saw when
// it was opened, and the revision that the form was read at.
const opened = new WeakMap();

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.edit");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    openEditor(link);
  }
  const cancel = event.target.closest(".editor a.cancel");
  if (cancel && opened.has(cancel.closest("td"))) {
    event.preventDefault();
    if (!cancel.closest("form").dataset.saving) closeEditor(cancel.closest("td"));
  }
});

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".editor")?.closest("td");
  if (!cell || !opened.has(cell)) return;
  if (event.key === "Escape" && !event.target.form.dataset.saving) closeEditor(cell);
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const cell = event.target.closest(".editor") && event.target.closest("td");
  if (!cell || !opened.has(cell)) return;
  event.preventDefault();
  save(event.target, cell);
});

async function ask(url, options = {}) {
  try {
    return await fetch(url, { ...options, headers: { "X-Fragment": "1" }, redirect: "manual" });
  } catch {
    announce("The server cannot be reached. Nothing was saved.");
    return null;
  }
}

async function openEditor(link) {
  if (link.ariaBusy) return; // a second click
  link.ariaBusy = "true";
  const answer = await ask(link.href);
  link.ariaBusy = null;
  if (!answer?.ok) {
    // Signed out, or no longer there: the page itself tells, unless somebody is writing here.
    if (answer && !document.querySelector("td > .editor")) location.assign(link.href);
    else if (answer) announce("That cannot be edited now. Save or cancel what is open, then try again.");
    return;
  }
  const html = await answer.text();
  // The row may have been refreshed, or be gone, by now.
  const cell = document.querySelector(`a.edit[href="${link.getAttribute("href")}"]`)?.closest("td");
  if (!cell) return announce("That transaction is no longer in this list.");
  opened.set(cell, { before: [...cell.childNodes], rowRevision: revision });
  show(cell, html, answer);
}

function show(cell, html, answer) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const first = template.content.querySelector("[autofocus]");
  first.removeAttribute("autofocus");
  cell.replaceChildren(template.content);
  const editor = opened.get(cell);
  const form = cell.querySelector("form");
  const version = form.elements.namedItem("version");
  editor.seen = textOf(editor.before);
  // Only where row and form are of one version has the person seen what the row shows.
  editor.isSure = version?.value === cell.closest("tr").dataset.version;
  editor.revision = revisionOf(answer);
  form.elements.namedItem("next").value = location.pathname + location.search;
  first.focus();
  tell(cell);
}

function textOf(nodes) {
  return nodes.map((node) => node.textContent).join("");
}

function revisionOf(answer) {
  return Number(answer.headers.get("X-Ledger-Revision"));
}

function closeEditor(cell) {
  cell.replaceChildren(...opened.get(cell).before);
  opened.delete(cell);
  cell.querySelector("a.edit")?.focus();
  released();
}

async function save(form, cell) {
  if (form.dataset.saving) return;
  form.dataset.saving = "1";
  const posted = new FormData(form);
  const focused = document.activeElement;
  // What would be typed now would not be in it.
  form.inert = true;
  pause();
  let saved = 0;
  try {
    const answer = await ask(form.action, { method: "POST", body: posted, signal: AbortSignal.timeout(PATIENCE) });
    await settle(answer, form, cell);
    if (answer?.ok) saved = revisionOf(answer);
  } catch {
    problem(form, "The server's answer broke off. Load the page to see whether it was saved.");
  } finally {
    delete form.dataset.saving;
    form.inert = false;
    if (form.isConnected && form.contains(focused)) focused.focus();
    resume(saved > 0, saved);
  }
}

async function settle(answer, form, cell) {
  if (!answer) return problem(form, "The server cannot be reached. Nothing was saved; try again.");
  if (answer.type === "opaqueredirect") return problem(form, "You are logged out. Nothing was saved.");
  if (answer.status === 409 || answer.status === 422) {
    show(cell, await answer.text(), answer);
    return announce(answer.status === 409 ? "Changed by somebody else meanwhile. Both values are shown." : "Not saved. See the message.");
  }
  if (answer.status === 404) return problem(form, "This transaction is no longer in the ledger. Nothing was saved.");
  if (!answer.ok) return problem(form, `Not saved: the server answered ${answer.status}.`);
  closeSaved(cell, await answer.text(), form.dataset.editor, revisionOf(answer));
}

function closeSaved(cell, html, what, revision) {
  const row = cell.closest("tr");
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.querySelector("tr");
  opened.delete(cell);
  cell.replaceChildren();
  renew(row, fresh, revision, true);
  for (const other of row.cells) {
    // Another editor of this row stays open. Of the new version it has seen its own value only
    // if that is still what it was.
    const version = other.querySelector(".editor [name=version]");
    const editor = opened.get(other);
    if (version && editor.isSure && editor.seen === textOf(editor.before)) version.value = row.dataset.version;
    if (editor) tell(other, true);
  }
  row.querySelector(`a[data-edit="${what}"]`)?.focus();
  announce(`Saved ${what}.`);
}

// --- What others do meanwhile

// The row was refreshed around an open editor, which tells what is there now.
document.addEventListener("renewed", ({ target: cell, detail }) => {
  const editor = opened.get(cell);
  editor.before = [...detail.now.childNodes];
  editor.rowRevision = detail.revision;
  // A row that is no newer than the form tells nothing that the form does not know.
  if (detail.revision <= editor.revision) {
    editor.seen = textOf(editor.before);
    editor.isSure = cell.querySelector("[name=version]")?.value === cell.closest("tr").dataset.version;
  }
  tell(cell, detail.isOwn);
});

document.addEventListener("gone", ({ target: row }) => {
  for (const cell of row.cells) if (opened.has(cell)) tell(cell);
});

function tell(cell, isOwn) {
  const form = cell.querySelector("form");
  const parts = whatChanged(cell, form, isOwn ? "This has" : "Somebody else has");
  const line = form.querySelector(".theirs");
  const text = parts.map((part) => part.textContent ?? part).join("");
  if (line?.textContent === text) return;
  line?.remove();
  if (!text) return;
  const fresh = Object.assign(document.createElement("p"), { className: "theirs" });
  fresh.setAttribute("role", "alert");
  fresh.append(...parts);
  form.prepend(fresh);
}

// Text and quoted values, in order; nothing when the editor knows it all.
function whatChanged(cell, form, who) {
  const row = cell.closest("tr");
  if (row.classList.contains("is-gone")) return ["This transaction is no longer in this list: it was removed, or no longer fits. What you typed is still here."];
  const { before, seen, rowRevision, revision: formRevision } = opened.get(cell);
  if (rowRevision < formRevision) return [];
  const find = (selector) => before.flatMap((node) => (node.matches?.(selector) ? [node] : [...(node.querySelectorAll?.(selector) ?? [])])).map((node) => node.textContent);
  if (form.dataset.editor === "labels") {
    const had = [...form.querySelectorAll("[name=remove]")].map((box) => box.value);
    const has = find(".chip");
    const added = has.filter((name) => !had.includes(name));
    const removed = had.filter((name) => !has.includes(name));
    if (!added.length && !removed.length) return [];
    const parts = [...(added.length ? [" added ", ...quoted(added)] : []), ...(removed.length ? [added.length ? " and taken off " : " taken off ", ...quoted(removed)] : [])];
    return ["Somebody else has meanwhile", ...parts, ". What you add and take off is joined with that."];
  }
  const isNewer = Number(row.dataset.version) > Number(form.elements.namedItem("version").value);
  const isNote = form.dataset.editor === "note";
  if (!isNewer && (isNote || textOf(before) === seen)) return [];
  const now = find(isNote ? ".note" : ".contact").filter(Boolean);
  return [`${who} changed this transaction meanwhile. Its ${form.dataset.editor} is now `, ...(now.length ? quoted(now) : ["empty"]), isNewer ? ". Saving asks you first." : "."];
}

function quoted(names) {
  return names.flatMap((name, index) => {
    const value = Object.assign(document.createElement("bdi"), { textContent: name });
    return [index ? ", “" : "“", value, "”"];
  });
}

// Labels are a set of chips: Enter turns what was typed into one, Enter on nothing saves.
document.addEventListener("keydown", (event) => {
  const input = event.target;
  if (event.key !== "Enter" || input.name !== "add" || event.isComposing || event.ctrlKey || event.metaKey) return;
  const name = input.value.trim();
  if (!name) return;
  event.preventDefault();
  addChip(input, name);
});

function addChip(input, name) {
  const chip = document.createElement("span");
  chip.className = "chip";
  const hidden = Object.assign(document.createElement("input"), { type: "hidden", name: "add", value: name });
  const text = document.createElement("bdi");
  text.textContent = name;
  const off = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
  off.setAttribute("aria-label", `Do not add ${name}`);
  off.addEventListener("click", () => { chip.remove(); input.focus(); });
  chip.append(hidden, text, off);
  input.form.querySelector(".chips").append(chip);
  input.value = "";
  announce(`${name} will be added. Press Enter again to save.`);
}

function problem(form, text) {
  let line = form.querySelector(".problem");
  if (!line) {
    line = document.createElement("p");
    line.className = "problem error";
    line.setAttribute("role", "alert");
    form.prepend(line);
  }
  line.textContent = text;
}
