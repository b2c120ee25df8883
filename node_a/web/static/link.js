// The page at the subscription link. It works without this; with it, copying takes one tap and waiting needs no reload.

const status = document.querySelector("[data-status]");

/** @param {string} words */
function say(words) {
  if (status) status.textContent = words;
}

/** @type {(from: HTMLElement) => Promise<boolean>} */
async function copied(from) {
  try {
    await navigator.clipboard.writeText(from.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(from);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("button")) {
  const from = document.getElementById(button.dataset.copy ?? "");
  if (!from) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!(await copied(from))) return;  // it is selected: the rest is a long press away
    button.classList.add("copied");
    say(status instanceof HTMLElement ? status.dataset.copied ?? "" : "");
    setTimeout(() => { button.classList.remove("copied"); say(""); }, 2000);
  });
}

// ── waiting for a payment ──

/** @type {(page: Document, name: string) => HTMLElement | null} */
const marked = (page, name) => page.querySelector(`[data-${name}]`);
const seconds = () => Number(marked(document, "refresh")?.dataset.refresh ?? 0);
let timer = 0;

function later() {
  clearTimeout(timer);
  if (seconds()) timer = setTimeout(look, seconds() * 1000);
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // No network right now: the next look may have one.
  }
  later();
}

/** @param {Document} page */
function show(page) {
  const now = marked(document, "stage"), next = marked(page, "stage");
  if (!now || !next || now.outerHTML === next.outerHTML) return;
  const changed = now.dataset.stage !== next.dataset.stage;
  now.replaceWith(next);
  if (changed) say(next.querySelector("[data-announce]")?.textContent ?? "");
}

later();
// Whoever comes back from a bank's app looks at once.
document.addEventListener("visibilitychange", () => { if (!document.hidden && seconds()) look(); });
