// The chat page: what the customer's phone would show, and the demo's switches beside it.

import { messageElement } from "./message.js";
import { MiniApp } from "./mini_app.js";
import { popup, toast } from "./notices.js";
import { setUpPanel } from "./panel.js";

/** @typedef {import("./message.js").Message} Message */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const list = byId("messages");
const input = /** @type {HTMLInputElement} */ (byId("compose"));

const customer = {
  id: chosenUser(),
  language: localStorage.getItem("language") || "ru",
  theme: localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
};
/** @type {{bot: any, commands: {command: string, description: string}[], menu_button: any, blocked: boolean}} */
let profile = { bot: { first_name: "QentVPN", username: "" }, commands: [], menu_button: { type: "commands" }, blocked: false };
let version = 0;

const miniApp = new MiniApp({ openLink, openTelegramLink, theme: themeColours, popup });
const panel = setUpPanel(customer, {
  call,
  languageChanged: showProfile,
  themeChanged() {
    showTheme();
    miniApp.sendTheme();
  },
});

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  input.value = "";
  suggest();
  write(text);
});
input.addEventListener("input", suggest);
byId("start").addEventListener("click", () => write("/start"));
byId("menu-button").addEventListener("click", () => {
  if (profile.menu_button.type === "web_app") return openMiniApp(profile.menu_button.web_app.url);
  input.value = input.value.startsWith("/") ? "" : "/";
  input.focus();
  suggest();
});
byId("link-banner-close").addEventListener("click", () => (byId("link-banner").hidden = true));

showTheme();
showProfile();
setInterval(showProfile, 5000); // commands, menu button and troubles change without a message
listen();

/** The user of the address, of the last visit, or a new one; ids beyond 32 bits, as new accounts have. */
function chosenUser() {
  const asked = new URLSearchParams(location.search).get("user");
  const id = Number(asked || localStorage.getItem("user")) || 7_000_000_000 + Math.floor(Math.random() * 1e9);
  localStorage.setItem("user", String(id));
  if (asked !== String(id)) history.replaceState(null, "", `?user=${id}`);
  return id;
}

/** @param {string} path @param {object} [body] @returns {Promise<any>} */
async function call(path, body) {
  const response = await fetch(
    `sandbox/${path}`,
    body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) },
  );
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

async function listen() {
  for (let wait = 0; ; wait = 25) { // the first answer comes at once, even from an empty chat
    try {
      const { version: now, messages } = await call(`chats/${customer.id}/messages?after=${version}&wait=${wait}`);
      if (now < version) list.replaceChildren(); // the stand-in began anew
      version = now;
      messages.forEach(show);
      byId("start").hidden = byId("welcome").hidden = list.childElementCount > 0;
      if (messages.length) {
        byId("scroll").scrollTop = byId("scroll").scrollHeight;
        showProfile();
      }
    } catch {
      byId("bot-state").textContent = "connecting…";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** @param {Message} message */
function show(message) {
  const items = /** @type {HTMLElement[]} */ ([...list.children]);
  const old = items.find((item) => item.dataset.messageId === String(message.message_id));
  if (message.deleted) return old?.remove();
  const item = messageElement(message, { command: write, press });
  if (old) old.replaceWith(item);
  else list.append(item);
}

/** @param {string} text */
async function write(text) {
  await call(`chats/${customer.id}/messages`, { text, language_code: customer.language, first_name: "Guest" });
}

/** @type {import("./message.js").Hands["press"]} */
async function press(message, button, element) {
  if (button.web_app) return openMiniApp(button.web_app.url);
  if (button.url) return openLink(button.url);
  if (button.copy_text) {
    await navigator.clipboard?.writeText(button.copy_text.text);
    return toast("Copied to clipboard.");
  }
  if (!button.callback_data) return toast("The stand-in does not know this kind of button.");
  element.classList.add("busy");
  try {
    const chat = `chats/${customer.id}/callbacks`;
    const pressed = await call(chat, { message_id: message.message_id, data: button.callback_data });
    const answer = await call(`${chat}/${pressed.callback_query_id}?wait=15`);
    if (answer.text && answer.show_alert) await popup({ message: answer.text, buttons: [{ type: "ok" }] });
    else if (answer.text) toast(answer.text);
  } finally {
    element.classList.remove("busy");
  }
}

/** @param {string} url */
async function openMiniApp(url) {
  const body = { url, language_code: customer.language, theme: customer.theme };
  const answer = await call(`chats/${customer.id}/web-app`, body);
  miniApp.open(answer.url, profile.bot.first_name);
}

/** @param {string} url */
function openLink(url) {
  if (!/^https?:\/\//i.test(url)) return toast(`The phone would open ${url}`);
  const banner = /** @type {HTMLAnchorElement} */ (byId("link-banner-link"));
  const opened = window.open(url, "_blank");
  if (opened) opened.opener = null;
  // A browser that blocked the window still allows a click on a link.
  banner.href = url;
  banner.textContent = `Open ${url}`;
  byId("link-banner").hidden = Boolean(opened);
}

/** @param {string} path of t.me, as a Mini App asks for it */
function openTelegramLink(path) {
  const link = new URL(path, "https://t.me");
  const start = link.searchParams.get("start");
  if (link.pathname.slice(1) !== profile.bot.username) toast(`Telegram would open t.me${path}`);
  else if (start !== null) write(`/start ${start}`.trim());
}

async function showProfile() {
  try {
    profile = await call(`chats/${customer.id}/bot?language_code=${customer.language}`);
    panel.showTroubles(await call("troubles"));
    panel.showBlocked(profile.blocked);
  } catch {
    return;
  }
  byId("bot-name").textContent = profile.bot.first_name;
  byId("bot-state").textContent = "bot";
  document.title = `${profile.bot.first_name} in a stand-in of Telegram`;
  byId("menu-label").textContent = profile.menu_button.type === "web_app" ? profile.menu_button.text : "Menu";
  byId("bot-description").textContent = /** @type {any} */ (profile).description || "Press start and see.";
}

function suggest() {
  const typed = input.value;
  const fitting = /^\/\w*$/.test(typed) ? profile.commands.filter(({ command }) => `/${command}`.startsWith(typed)) : [];
  byId("suggestions").replaceChildren(
    ...fitting.map(({ command, description }) => {
      const [item, button, name, words] = ["li", "button", "b", "span"].map((tag) => document.createElement(tag));
      /** @type {HTMLButtonElement} */ (button).type = "button";
      name.textContent = `/${command}`;
      words.textContent = description;
      button.append(name, words);
      button.addEventListener("click", () => {
        input.value = "";
        suggest();
        write(`/${command}`);
      });
      item.append(button);
      return item;
    }),
  );
  byId("suggestions").hidden = fitting.length === 0;
}

function showTheme() {
  document.documentElement.dataset.theme = customer.theme;
}

/** What a Mini App is told: this page's own colours. */
function themeColours() {
  const style = getComputedStyle(document.documentElement);
  const names = {
    bg_color: "surface", secondary_bg_color: "surface-2", text_color: "text", hint_color: "hint",
    link_color: "link", button_color: "accent", header_bg_color: "surface", bottom_bar_bg_color: "surface",
    accent_text_color: "link", section_bg_color: "surface", section_header_text_color: "link",
    section_separator_color: "line", subtitle_text_color: "hint", destructive_text_color: "danger",
  };
  const colours = Object.entries(names).map(([name, ours]) => [name, style.getPropertyValue(`--${ours}`).trim()]);
  return { ...Object.fromEntries(colours), button_text_color: "#ffffff" };
}
