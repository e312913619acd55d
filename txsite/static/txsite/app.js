// Every page: copying, completion of names, and never showing a page from the browser's memory.
"use strict";

// Back and forward may bring a page back as it was; what it showed may be old by now, and is not
// even to flash up.
addEventListener("pagehide", (event) => {
  if (event.persisted) document.documentElement.hidden = true;
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Tell people who cannot see the change.
function announce(text) {
  const line = document.createElement("p");
  line.className = "sr-only";
  line.textContent = text;
  document.getElementById("messages").append(line);
  setTimeout(() => line.remove(), 10000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    announce("The browser does not allow copying here.");
    return;
  }
  button.classList.add("copied");
  announce("Copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// Names are completed from the server as they stand now; only the latest answer counts.
const asked = new WeakMap();
async function complete(input) {
  const list = input.list;
  const url = input.dataset.complete;
  // In a filter, "-" and "=" are marks before a name, and a name that begins so is marked.
  const isFilter = input.closest(".filters") !== null;
  const mark = isFilter ? input.value.match(/^-?=?/)[0] : "";
  const literal = (name) => (isFilter && !mark.includes("=") && /^[-=]|^none$/i.test(name) ? "=" : "") + name;
  const number = (asked.get(input) || 0) + 1;
  asked.set(input, number);
  const answer = await fetch(`${url}?q=${encodeURIComponent(input.value.slice(mark.length))}`);
  if (!answer.ok || asked.get(input) !== number) return;
  const names = await answer.json();
  list.replaceChildren(...names.map((name) => new Option("", mark + literal(name))));
}
for (const type of ["input", "focusin"]) {
  document.addEventListener(type, (event) => {
    if (event.target.dataset?.complete && event.target.list) complete(event.target);
  });
}

// Fields left empty do not belong in the address.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "get") return;
  const unused = [...form.elements].filter((field) => field.name && !field.value);
  for (const field of unused) field.disabled = true;
  setTimeout(() => { for (const field of unused) field.disabled = false; });
});
