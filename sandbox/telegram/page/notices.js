// What the app says without a message: a passing note, and a question with buttons.

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
let toastTimer = 0;

/** @param {string} text */
export function toast(text) {
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (byId("toast").hidden = true), 3000);
}

/** Asks with buttons; the answer is the id of the one pressed, empty for none.
 * @param {{title?: string, message: string, buttons?: {id?: string, type?: string, text?: string}[]}} params
 */
export function popup(params) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("popup"));
  const words = /** @type {Record<string, string>} */ ({ ok: "OK", close: "Close", cancel: "Cancel" });
  const [title, message, row] = ["h2", "p", "div"].map((tag) => document.createElement(tag));
  title.textContent = params.title || "";
  title.hidden = !params.title;
  message.textContent = params.message;
  for (const { id = "", type = "default", text } of params.buttons || [{ type: "ok" }]) {
    const button = document.createElement("button");
    button.textContent = words[type] || text || "OK";
    if (type === "destructive") button.className = type;
    button.addEventListener("click", () => dialog.close(id));
    row.append(button);
  }
  dialog.replaceChildren(title, message, row);
  dialog.returnValue = "";
  dialog.showModal();
  return /** @type {Promise<string>} */ (
    new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }))
  );
}
