// The Mini App: asks our server for fragments and shows them. Every sentence comes from the server; Telegram's own script
// is welcome but never needed, because telegram.org is slow or blocked where our customers are.

/**
 * What we use of Telegram's script and of the apps' web views.
 * @typedef {{openLink(url: string): void}} WebApp
 * @typedef {{Telegram?: {WebApp?: WebApp}, TelegramWebviewProxy?: {postEvent(type: string, data: string): void}}} Telegram
 * @typedef {{html: string, status: number, wait: number}} Answer
 * @typedef {{path: string, stage: string, until: number, pause: number, looking: boolean}} Watch
 */

const telegram = /** @type {Window & Telegram} */ (window);
const main = /** @type {HTMLElement} */ (document.getElementById("screen"));
const announcer = /** @type {HTMLElement} */ (document.getElementById("announcer"));
const PATIENCE = 25_000;

const launch = launchData();
let shown = ""; // the fragment on the screen
let request = 0; // counts what was asked; a late answer to an older question is dropped
/** @type {() => Promise<unknown>} */
let again = home;
/** @type {Watch | null} */
let watched = null;
let timer = 0;

useTheme(launch.theme);
tell("web_app_ready");
tell("web_app_expand");
document.addEventListener("click", tapped);
document.addEventListener("input", typing);
document.addEventListener("keydown", keyed);
document.addEventListener("visibilitychange", lookNow);
window.addEventListener("focus", lookNow);
window.addEventListener("online", lookNow);
window.addEventListener("message", themeChanged);
const unfinished = remembered("qentvpn-payment");
if (unfinished) go(() => ask(unfinished));
else home();

// ── Telegram ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The launch data of the address's fragment. It stays there, for Telegram's script reads it when it comes; the copy
 * survives a reload that loses it. It is never sent but to our own server, in a header.
 */
function launchData() {
  const given = location.hash.slice(1);
  const fresh = new URLSearchParams(given).has("tgWebAppData");
  if (fresh) remember("qentvpn-launch", given);
  const data = new URLSearchParams(fresh ? given : remembered("qentvpn-launch"));
  return { initData: data.get("tgWebAppData") ?? "", theme: data.get("tgWebAppThemeParams") ?? "{}" };
}

/** Whether somebody listens to our events: an app around this web view, or Telegram Web around this frame. */
function insideTelegram() {
  return Boolean(telegram.TelegramWebviewProxy) || "notify" in (window.external ?? {}) || window.parent !== window;
}

/** An event as Telegram's script sends it. @param {string} eventType @param {object} [eventData] */
function tell(eventType, eventData = {}) {
  const external = /** @type {{notify?: (text: string) => void}} */ (window.external ?? {});
  if (telegram.TelegramWebviewProxy) telegram.TelegramWebviewProxy.postEvent(eventType, JSON.stringify(eventData));
  else if (external.notify) external.notify(JSON.stringify({ eventType, eventData }));
  // Any target: who may be our parent is decided by the policy's frame-ancestors.
  else if (window.parent !== window) window.parent.postMessage(JSON.stringify({ eventType, eventData }), "*");
}

/** Opens an address outside of this window. @param {string} url */
function open(url) {
  const { protocol, host, pathname, search } = new URL(url, location.href);
  if (!insideTelegram()) window.open(url, "_blank", "noopener,noreferrer");
  else if (host === "t.me") tell("web_app_open_tg_link", { path_full: pathname + search });
  else if (telegram.Telegram?.WebApp) telegram.Telegram.WebApp.openLink(url);
  else if (protocol === "https:" || protocol === "http:") tell("web_app_open_link", { url });
}

/** @param {string} text the theme's colours as JSON */
function useTheme(text) {
  const { style, dataset } = document.documentElement;
  /** @type {Record<string, unknown>} */
  let colours = {};
  try {
    colours = Object(JSON.parse(text));
  } catch {
    return; // the fallbacks of the style sheet do
  }
  for (const [name, colour] of Object.entries(colours)) {
    if (!/^\w+$/.test(name) || !/^#[0-9a-f]{6}$/i.test(String(colour))) continue;
    style.setProperty(`--tg-theme-${name.replaceAll("_", "-")}`, String(colour));
  }
  const background = String(colours.bg_color);
  if (!/^#[0-9a-f]{6}$/i.test(background)) return;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => parseInt(background.slice(at, at + 2), 16));
  dataset.scheme = 0.299 * red + 0.587 * green + 0.114 * blue < 128 ? "dark" : "light";
}

/** @param {MessageEvent} event */
function themeChanged(event) {
  if (event.source !== window.parent || typeof event.data !== "string" || !event.data.includes("theme_changed")) return;
  try {
    useTheme(JSON.stringify(JSON.parse(event.data).eventData.theme_params));
  } catch {
    // somebody else's message
  }
}

// ── Asking and showing ───────────────────────────────────────────────────────────────────────────────────────────────

/** @param {string} path @param {object} [order] @returns {Promise<Answer>} */
async function ask(path, order) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (launch.initData) headers["Authorization"] = `tma ${launch.initData}`;
  if (order) headers["Content-Type"] = "application/json";
  const reply = await fetch(path, {
    method: order ? "POST" : "GET",
    headers,
    body: order ? JSON.stringify(order) : null,
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout?.(PATIENCE) ?? null,
  });
  const html = await reply.text();
  // Something between us and the server can answer, too.
  if (!html.includes("data-view=")) throw new Error(`no fragment but ${reply.status}`);
  return { html, status: reply.status, wait: Number(reply.headers.get("Retry-After")) * 1000 };
}

/** Asks once and shows what comes; `repeat` is what "try again" does.
 * @param {() => Promise<Answer>} question @param {() => Promise<unknown>} [repeat] @returns {Promise<boolean>} */
async function go(question, repeat = () => go(question)) {
  const mine = ++request;
  again = repeat;
  stopWatching();
  main.setAttribute("aria-busy", "true");
  try {
    const answer = await question();
    if (mine !== request) return false;
    show(answer.html);
    return answer.status < 400;
  } catch {
    if (mine === request) show(offline());
    return false;
  } finally {
    if (mine === request) main.removeAttribute("aria-busy");
  }
}

function home() {
  forget("qentvpn-payment");
  return go(() => ask("/app/home"));
}

/** The field for the e-mail that the tax receipt goes to, where this screen has one. */
function receiptField() {
  return /** @type {HTMLInputElement | null} */ (main.querySelector("#receipt-to"));
}

/** Whether nothing is missing in that field; if something is, the customer is told right there. */
function receiptIsAddressed() {
  const field = receiptField();
  if (!field || field.checkValidity()) return true;
  field.setAttribute("aria-invalid", "true");
  askForAddress(field);
  return false;
}

/** @param {HTMLInputElement} field */
function askForAddress(field) {
  field.focus();
  announcer.textContent = main.querySelector("#receipt-wrong")?.textContent ?? "";
}

/** @param {string} plan @param {string} [receipt_to] what stands in its field, where this screen has one */
async function buy(plan, receipt_to = receiptField()?.value) {
  const opened = await go(() => ask("/app/payments", { plan, receipt_to }), () => buy(plan, receipt_to));
  const link = fragment().dataset.payLink;
  // Still within the tap; where a browser does not think so, the button on this screen is the way.
  if (opened && link) open(link);
}

function fragment() {
  return /** @type {HTMLElement} */ (main.firstElementChild);
}

/** @param {string} html a fragment of ours, in which the server has escaped every value */
function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const changed = fragment().dataset.view !== template.content.querySelector("section")?.dataset.view;
  const typed = receiptField()?.value;
  main.replaceChildren(...template.content.children);
  shown = html;
  const field = receiptField();
  if (field && typed) field.value = typed;
  document.documentElement.lang = fragment().lang || document.documentElement.lang;
  announcer.textContent = main.querySelector("[data-announce]")?.textContent ?? "";
  if (changed) window.scrollTo(0, 0);
  if (field?.getAttribute("aria-invalid")) askForAddress(field);
  watch();
}

/** The sentences for a lost network, from the page itself, in the language of the customer's Telegram. */
function offline() {
  let tag = navigator.language;
  try {
    tag = JSON.parse(new URLSearchParams(launch.initData).get("user") ?? "{}").language_code ?? tag;
  } catch {
    // then the browser's language
  }
  const named = (/** @type {string} */ code) =>
    /** @type {HTMLTemplateElement | null} */ (document.querySelector(`template[data-offline="${code}"]`));
  const primary = /^[a-z]+/i.exec(tag)?.[0].toLowerCase() ?? "";
  return (named(primary) ?? named(document.documentElement.lang))?.innerHTML ?? "";
}

// ── Watching ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Goes on asking for what is on the screen, ever more slowly, if its fragment says so. */
function watch() {
  const { view, pollPath, pollFirst, pollFactor, pollLongest, pollUntil, stage = "" } = fragment().dataset;
  clearTimeout(timer);
  // A reload returns to a payment that is still open.
  if (view === "payment") remember("qentvpn-payment", pollPath ?? "");
  if (!pollPath) {
    watched = null;
    return;
  }
  const first = Number(pollFirst);
  if (watched?.path !== pollPath) {
    watched = { path: pollPath, stage, until: Date.now() + Number(pollUntil), pause: first, looking: false };
  } else if (watched.stage !== stage) {
    Object.assign(watched, { stage, pause: first }); // something moves: look often again
  } else {
    watched.pause = Math.min(watched.pause * Number(pollFactor), Number(pollLongest));
  }
  if (!document.hidden && Date.now() < watched.until) timer = window.setTimeout(look, watched.pause);
}

function stopWatching() {
  clearTimeout(timer);
  watched = null;
}

/** The customer is back, perhaps from the pay page. */
function lookNow() {
  if (document.hidden || !watched) return;
  watched.pause = Number(fragment().dataset.pollFirst) || watched.pause;
  look();
}

async function look() {
  const mine = watched;
  if (!mine || mine.looking) return;
  clearTimeout(timer);
  mine.looking = true;
  try {
    const answer = await ask(mine.path);
    if (mine !== watched) return;
    mine.looking = false;
    if (answer.status === 429) mine.pause = Math.max(mine.pause, answer.wait);
    const theirs = answer.status !== 429 && answer.status < 500;
    // Nobody likes to lose a half-written address.
    const writing = document.activeElement?.matches("input");
    if (theirs && answer.html !== shown && !writing) show(answer.html);
    else watch();
  } catch {
    // The screen stays true as it is; the next look may succeed.
    mine.looking = false;
    if (mine === watched) watch();
  }
}

// ── Hands ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param {MouseEvent} event */
function tapped(event) {
  const target = /** @type {Element} */ (event.target);
  const element = /** @type {HTMLElement | null} */ (target.closest("[data-action]"));
  if (!element) return;
  const { action, plan, payment, path, rotation } = element.dataset;
  if (action === "copy") return void copy(element);
  if (action === "close") return tell("web_app_close");
  if (action === "open") {
    // Outside of Telegram it is an ordinary link.
    if (insideTelegram()) {
      event.preventDefault();
      open(/** @type {HTMLAnchorElement} */ (element).href);
    }
    return;
  }
  if (main.getAttribute("aria-busy")) return; // one order at a time
  if (action === "buy" && !receiptIsAddressed()) return;
  element.classList.add("pressed");
  if (action === "buy" && plan) buy(plan);
  else if (action === "trial") go(() => ask("/app/trial", {}));
  else if (action === "show" && path) go(() => ask(path));
  // The keys that the question was about: a tap that is repeated replaces no others.
  else if (action === "rotate" && rotation) go(() => ask("/app/rotation", { rotation: Number(rotation) }));
  else if (action === "repair") go(() => ask("/app/trouble/repair", {}));
  else if (action === "payment" && payment) go(() => ask(`/app/payments/${payment}`));
  else if (action === "home") home();
  else if (action === "retry") again();
}

/** @param {Event} event */
function typing(event) {
  if (event.target === receiptField()) receiptField()?.removeAttribute("aria-invalid");
}

/** The keyboard's "done" puts the keyboard away. @param {KeyboardEvent} event */
function keyed(event) {
  if (event.key === "Enter" && event.target === receiptField()) receiptField()?.blur();
}

/** @param {HTMLElement} button */
async function copy(button) {
  const owner = /** @type {HTMLElement} */ (button.closest("[data-link]"));
  const text = owner.dataset.link ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copiedBySelection(text, owner)) return;
  }
  announcer.textContent = button.querySelector(".after")?.textContent ?? "";
  button.classList.add("copied");
  button.focus({ preventScroll: true });
  setTimeout(() => button.classList.remove("copied"), 2000);
}

/** Frames without the permission still have the old way; where even that fails, the text stays for a long press.
 * @param {string} text @param {HTMLElement} owner */
function copiedBySelection(text, owner) {
  owner.querySelector("textarea")?.remove();
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  owner.append(area);
  area.select();
  const done = document.execCommand("copy");
  if (done) area.remove();
  return done;
}

// ── Memory of this window; a frame may be denied it ──────────────────────────────────────────────────────────────────

/** @param {string} name @param {string} value */
function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // then a reload begins anew
  }
}

/** @param {string} name */
function remembered(name) {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
function forget(name) {
  try {
    sessionStorage.removeItem(name);
  } catch {
    // there is nothing to forget
  }
}
