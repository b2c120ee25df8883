// The sheet in which a Mini App runs, and Telegram's side of the protocol with it.

/** @typedef {{openLink: (url: string) => void, openTelegramLink: (path: string) => void,
 *             theme: () => Record<string, string>, popup: (params: any) => Promise<string>}} Hands */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class MiniApp {
  /** @type {HTMLIFrameElement | null} */
  #frame = null;
  #mainButton = /** @type {HTMLButtonElement} */ (byId("main-button"));

  /** @param {Hands} hands */
  constructor(hands) {
    this.hands = hands;
    byId("close-mini-app").addEventListener("click", () => this.close());
    byId("mini-app-back").addEventListener("click", () => this.#send("back_button_pressed"));
    this.#mainButton.addEventListener("click", () => this.#send("main_button_pressed"));
    window.addEventListener("resize", () => this.#sendViewport());
    window.addEventListener("message", (event) => this.#receive(event));
  }

  /** @param {string} url @param {string} title */
  open(url, title) {
    this.close();
    const frame = document.createElement("iframe");
    frame.dataset.testid = "mini-app";
    frame.title = "Mini App";
    frame.allow = "clipboard-write";
    frame.setAttribute(
      "sandbox",
      "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-forms allow-modals",
    );
    frame.src = url;
    this.#frame = frame;
    byId("mini-app-title").textContent = title;
    byId("mini-app-frame").append(frame);
    byId("sheet").hidden = false;
  }

  close() {
    this.#frame?.remove();
    this.#frame = null;
    byId("sheet").hidden = true;
    byId("sheet").dataset.state = "";
    byId("mini-app-back").hidden = true;
    this.#mainButton.hidden = true;
  }

  sendTheme() {
    this.#send("theme_changed", { theme_params: this.hands.theme() });
  }

  #sendViewport() {
    const height = byId("mini-app-frame").clientHeight;
    this.#send("viewport_changed", { height, width: window.innerWidth, is_expanded: true, is_state_stable: true });
  }

  /** @param {string} eventType @param {unknown} [eventData] */
  #send(eventType, eventData = {}) {
    this.#frame?.contentWindow?.postMessage(JSON.stringify({ eventType, eventData }), "*");
  }

  /** @param {MessageEvent} event */
  #receive(event) {
    // Only the framed window is listened to: any other page could hold a reference to this one.
    if (!this.#frame || event.source !== this.#frame.contentWindow || typeof event.data !== "string") return;
    let message;
    try {
      message = JSON.parse(event.data);
    } catch {
      return;
    }
    const data = message.eventData || {};
    switch (message.eventType) {
      case "web_app_ready":
        byId("sheet").dataset.state = "ready";
        break;
      case "web_app_expand":
      case "web_app_request_viewport":
        this.#sendViewport();
        break;
      case "web_app_close":
        this.close();
        break;
      case "web_app_request_theme":
        this.sendTheme();
        break;
      case "web_app_request_safe_area":
        this.#send("safe_area_changed", { top: 0, right: 0, bottom: 0, left: 0 });
        break;
      case "web_app_request_content_safe_area":
        this.#send("content_safe_area_changed", { top: 0, right: 0, bottom: 0, left: 0 });
        break;
      case "web_app_open_link":
        this.hands.openLink(String(data.url));
        break;
      case "web_app_open_tg_link":
        this.close();
        this.hands.openTelegramLink(String(data.path_full));
        break;
      case "web_app_setup_back_button":
        byId("mini-app-back").hidden = !data.is_visible;
        break;
      case "web_app_setup_main_button":
        this.#setUpMainButton(data);
        break;
      case "web_app_open_popup":
        this.hands.popup(data).then((id) => this.#send("popup_closed", id ? { button_id: id } : {}));
        break;
    }
  }

  /** @param {any} data */
  #setUpMainButton(data) {
    const button = this.#mainButton;
    const changed = button.hidden === Boolean(data.is_visible);
    button.hidden = !data.is_visible;
    button.disabled = data.is_active === false;
    button.textContent = data.is_progress_visible ? "…" : String(data.text || "");
    button.style.setProperty("background-color", String(data.color || ""));
    button.style.setProperty("color", String(data.text_color || ""));
    if (changed) this.#sendViewport();
  }
}
