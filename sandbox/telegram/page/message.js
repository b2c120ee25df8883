// One message as a list item: bubble, photo, time, inline keyboard.

import { formatted } from "./entities.js";

/**
 * @typedef {{text: string, url?: string, callback_data?: string, web_app?: {url: string},
 *            copy_text?: {text: string}, style?: string}} InlineButton
 * @typedef {{message_id: number, deleted?: boolean, date: number, edit_date?: number, text?: string,
 *            entities?: import("./entities.js").Entity[], caption?: string,
 *            caption_entities?: import("./entities.js").Entity[], from: {is_bot: boolean},
 *            photo?: {file_id: string, width: number, height: number}[],
 *            reply_markup?: {inline_keyboard: InlineButton[][]}}} Message
 * @typedef {{command: (text: string) => void,
 *            press: (message: Message, button: InlineButton, element: HTMLButtonElement) => void}} Hands
 */

/** @param {Message} message @param {Hands} hands */
export function messageElement(message, hands) {
  const item = document.createElement("li");
  item.className = message.from.is_bot ? "message" : "message mine";
  item.dataset.testid = "message";
  item.dataset.messageId = String(message.message_id);
  item.dataset.from = message.from.is_bot ? "bot" : "user";

  const bubble = document.createElement("div");
  bubble.className = "bubble";
  const size = message.photo?.at(-1);
  if (size) {
    const photo = document.createElement("img");
    photo.className = "photo";
    photo.alt = message.caption || "Photo";
    photo.width = size.width;
    photo.height = size.height;
    photo.src = `sandbox/files/${encodeURIComponent(size.file_id)}`;
    bubble.append(photo);
  }
  const words = message.text ?? message.caption ?? "";
  if (words) {
    const text = document.createElement("div");
    text.className = "text";
    text.append(formatted(words, message.entities || message.caption_entities || [], hands.command));
    bubble.append(text);
  } else {
    bubble.classList.add("bare");
  }
  const meta = document.createElement("time");
  meta.className = "meta";
  const at = new Date(message.date * 1000);
  meta.dateTime = at.toISOString();
  meta.textContent =
    (message.edit_date ? "edited " : "") + at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  bubble.append(meta);
  item.append(bubble);

  const rows = message.reply_markup?.inline_keyboard || [];
  if (rows.length) {
    item.classList.add("has-keyboard");
    const keyboard = document.createElement("div");
    keyboard.className = "keyboard";
    for (const row of rows) {
      const line = document.createElement("div");
      line.className = "keyboard-row";
      line.append(...row.map((button) => buttonElement(message, button, hands)));
      keyboard.append(line);
    }
    item.append(keyboard);
  }
  return item;
}

/** @param {Message} message @param {InlineButton} button @param {Hands} hands */
function buttonElement(message, button, hands) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "inline-button";
  if (button.style) element.classList.add(button.style);
  element.append(button.text);
  // The little sign in the corner says what the button will do, as in the app.
  const sign = button.url ? "↗" : button.web_app ? "❐" : button.copy_text ? "⧉" : "";
  if (sign) {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.setAttribute("aria-hidden", "true");
    mark.textContent = sign;
    element.append(mark);
  }
  element.addEventListener("click", () => hands.press(message, button, element));
  return element;
}
