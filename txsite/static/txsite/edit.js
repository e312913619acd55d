// Editing labels, contact and note in the list, in place. Without script the same links lead
// to the same forms on pages of their own.
"use strict";

const opened = new WeakMap(); // an editor's cell -> what the cell showed before

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.edit");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    openEditor(link);
  }
  const cancel = event.target.closest(".editor a.cancel");
  if (cancel && opened.has(cancel.closest("td"))) {
    event.preventDefault();
    closeEditor(cancel.closest("td"));
  }
});

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".editor")?.closest("td");
  if (!cell || !opened.has(cell)) return;
  if (event.key === "Escape") closeEditor(cell);
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
  const cell = link.closest("td");
  const answer = await ask(link.href);
  // Signed out, or no longer there: the page itself tells.
  if (answer && (answer.type === "opaqueredirect" || !answer.ok)) location.assign(link.href);
  if (!answer?.ok || opened.has(cell)) return;
  opened.set(cell, [...cell.childNodes]);
  show(cell, await answer.text());
}

function show(cell, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const first = template.content.querySelector("[autofocus]");
  first.removeAttribute("autofocus");
  cell.replaceChildren(template.content);
  const form = cell.querySelector("form");
  form.elements.namedItem("next").value = location.pathname + location.search;
  first.focus();
}

function closeEditor(cell) {
  cell.replaceChildren(...opened.get(cell));
  opened.delete(cell);
  const row = cell.closest("tr");
  // It stood there only for the sake of what was being written.
  if (row.matches(".is-gone") && !row.querySelector("td > .editor")) row.remove();
  else cell.querySelector("a.edit").focus();
}

async function save(form, cell) {
  if (form.dataset.saving) return;
  form.dataset.saving = "1";
  const answer = await ask(form.action, { method: "POST", body: new FormData(form) });
  delete form.dataset.saving;
  if (!answer) return problem(form, "The server cannot be reached. Nothing was saved; try again.");
  if (answer.type === "opaqueredirect") return problem(form, "You are logged out. Nothing was saved.");
  if (answer.status === 409 || answer.status === 422) {
    show(cell, await answer.text());
    return announce(answer.status === 409 ? "Changed by somebody else meanwhile. Both values are shown." : "Not saved. See the message.");
  }
  if (!answer.ok) return problem(form, `Not saved: the server answered ${answer.status}.`);
  replaceRow(cell.closest("tr"), await answer.text(), form.dataset.editor);
  document.dispatchEvent(new CustomEvent("saved", { detail: Number(answer.headers.get("X-Ledger-Revision")) }));
}

function replaceRow(row, html, what) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.querySelector("tr");
  [...row.cells].forEach((cell, index) => {
    if (!opened.has(cell) || cell.querySelector(`[data-editor="${what}"]`)) return;
    keepEditor(cell, fresh.cells[index]);
    fresh.cells[index].replaceWith(cell);
  });
  row.replaceWith(fresh);
  fresh.querySelector(`a[data-edit="${what}"]`)?.focus();
  announce(`Saved ${what}.`);
}

// An open editor stays as it is while its row becomes `fresh`; cancelling then shows what is there
// now. What somebody else has changed is said before anybody saves, and refused then. Of the row's
// new version the editor has seen its own value only if that is still what it was. Says whether.
function keepEditor(cell, fresh) {
  const form = cell.querySelector(".editor");
  const version = form.querySelector("[name=version]");
  const before = opened.get(cell).map((node) => node.textContent).join("");
  const isOther = before !== fresh.textContent;
  if (isOther) warn(form, `Somebody else has changed this meanwhile. It is now: ${inWords(fresh, form.dataset.editor)}.`);
  else if (version && !form.querySelector(".theirs")) version.value = fresh.closest("tr").dataset.version;
  opened.set(cell, [...fresh.cloneNode(true).childNodes]);
  return isOther;
}

function inWords(cell, what) {
  const parts = { labels: ".chip bdi", contact: ".contact bdi", note: ".note" }[what];
  const texts = [...cell.querySelectorAll(parts)].map((part) => part.textContent).filter(Boolean);
  return texts.length ? texts.join(", ") : "empty";
}

function warn(form, text) {
  let line = form.querySelector(".theirs");
  if (!line) {
    line = document.createElement("p");
    line.className = "theirs";
    line.setAttribute("role", "alert");
    form.prepend(line);
  }
  if (line.textContent !== text) line.textContent = text;
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
