// The page works without this file; it adds a button that copies, one that prints, a box that ticks
// a whole column, and takes a double click for one.
"use strict";

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copy(element) {
  // Without https there is no navigator.clipboard.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch {}
  }
  select(element);
  return document.execCommand("copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    if (await copy(document.getElementById(button.dataset.copy))) {
      button.textContent = button.dataset.copied;
      setTimeout(() => (button.textContent = label), 4000);
    }
  });
}

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

for (const all of document.querySelectorAll("input[data-checks]")) {
  const boxes = document.querySelectorAll(`input[name="${all.dataset.checks}"]`);
  all.hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
}

// A form that is sent again takes away the answer to the first time, perhaps with passwords in it.
const sent = new Set();
document.addEventListener("submit", (event) => {
  const button = event.submitter || event.target;
  if (event.target.method === "post" && sent.has(button)) {
    event.preventDefault();
    return;
  }
  sent.add(button);
  setTimeout(() => sent.delete(button), 5000);
});
addEventListener("pageshow", () => sent.clear());
