// The page of an import that runs: it is fetched again until the import is over.
"use strict";

const MILLISECONDS = 1000;

async function look() {
  const shown = document.getElementById("import");
  if (!shown || !("poll" in shown.dataset)) return;
  let answer;
  try {
    answer = await fetch(location.href);
  } catch {
    setTimeout(look, 5 * MILLISECONDS);
    return;
  }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.getElementById("import");
  if (!now) return;
  if ("poll" in now.dataset) {
    replace(shown, now);
    setTimeout(look, MILLISECONDS);
    return;
  }
  // The whole page, since the lines are there now as well.
  document.getElementById("content").querySelectorAll(":scope > :not(#messages)").forEach((part) => part.remove());
  document.getElementById("content").append(...page.querySelectorAll("#content > :not(#messages)"));
  // With what it was read at.
  document.getElementById("receipt").replaceWith(page.getElementById("receipt"));
  announce(now.dataset.announce);
}

// Somebody may be on the button that cancels: it stays the same button.
function replace(shown, now) {
  const bar = shown.querySelector("progress");
  const newBar = now.querySelector("progress");
  if (bar && newBar) bar.replaceWith(newBar);
  const texts = ["h2", "section > p:last-of-type"];
  for (const text of texts) {
    const from = now.querySelector(text);
    const to = shown.querySelector(text);
    if (from && to && from.textContent !== to.textContent) to.textContent = from.textContent;
  }
}

setTimeout(look, MILLISECONDS);
