// Our own small stand-in of Telegram's Mini App script, so that the demo needs no network.
// It speaks the real protocol with the page around the frame; the genuine script works there, too.
(function () {
  "use strict";

  const embedded = window.parent !== window;
  /** @type {Map<string, Set<Function>>} */
  const listeners = new Map();
  const launch = readLaunch();

  /** The launch parameters of the address, completed by those of an earlier page in this frame. */
  function readLaunch() {
    const key = "__telegram__initParams";
    /** @type {Record<string, string>} */
    let known = {};
    try {
      known = JSON.parse(sessionStorage.getItem(key) || "{}") || {};
    } catch {
      // A frame without storage only forgets the launch on a reload.
    }
    const hash = location.hash.replace(/^#/, "").replace(/^[^=&]*\?/, "");
    for (const [name, value] of new URLSearchParams(hash)) {
      known[name] = value;
    }
    try {
      sessionStorage.setItem(key, JSON.stringify(known));
    } catch {
      // as above
    }
    return known;
  }

  function readUnsafe(/** @type {string} */ initData) {
    /** @type {Record<string, unknown>} */
    const data = {};
    for (const [name, value] of new URLSearchParams(initData)) {
      data[name] = value;
      if (/^[{[].*[}\]]$/s.test(value)) {
        try {
          data[name] = JSON.parse(value);
        } catch {
          // Not JSON after all: it stays text.
        }
      }
    }
    return data;
  }

  function post(/** @type {string} */ eventType, /** @type {unknown} */ eventData = "") {
    if (embedded) {
      window.parent.postMessage(JSON.stringify({ eventType, eventData }), "*");
    }
  }

  function emit(/** @type {string} */ name, /** @type {unknown} */ data = undefined) {
    for (const listener of [...(listeners.get(name) || [])]) {
      listener.call(WebApp, data);
    }
  }

  function applyTheme(/** @type {Record<string, string>} */ params) {
    const style = document.documentElement.style;
    for (const [name, colour] of Object.entries(params || {})) {
      if (!/^#[0-9a-f]{6}$/i.test(colour)) continue;
      WebApp.themeParams[name] = colour;
      style.setProperty("--tg-theme-" + name.replaceAll("_", "-"), colour);
    }
    const background = WebApp.themeParams.bg_color || "#ffffff";
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(background.slice(at, at + 2), 16));
    // Perceived brightness decides which of the two schemes a theme belongs to.
    WebApp.colorScheme = 0.299 * red + 0.587 * green + 0.114 * blue < 120 ? "dark" : "light";
    style.setProperty("--tg-color-scheme", WebApp.colorScheme);
  }

  function applyViewport(/** @type {{height?: number, is_expanded?: boolean, is_state_stable?: boolean}} */ data) {
    const height = data.height || window.innerHeight;
    WebApp.viewportHeight = height;
    WebApp.isExpanded = data.is_expanded !== false;
    document.documentElement.style.setProperty("--tg-viewport-height", height + "px");
    if (data.is_state_stable !== false) {
      WebApp.viewportStableHeight = height;
      document.documentElement.style.setProperty("--tg-viewport-stable-height", height + "px");
    }
  }

  function atLeast(/** @type {string} */ wanted) {
    const [have, need] = [WebApp.version, wanted].map((version) => version.split(".").map(Number));
    return have[0] > need[0] || (have[0] === need[0] && (have[1] || 0) >= (need[1] || 0));
  }

  function button(/** @type {string} */ setupEvent, /** @type {string} */ clickEvent, /** @type {object} */ initial) {
    const state = /** @type {any} */ ({ ...initial });
    const setup = () => {
      post(setupEvent, {
        is_visible: state.isVisible,
        is_active: state.isActive,
        is_progress_visible: state.isProgressVisible,
        text: state.text,
        color: state.color || WebApp.themeParams.button_color,
        text_color: state.textColor || WebApp.themeParams.button_text_color,
      });
      return self;
    };
    const change = (/** @type {object} */ changes) => {
      Object.assign(state, changes);
      return setup();
    };
    const self = {
      get text() { return state.text; },
      get isVisible() { return state.isVisible; },
      set isVisible(visible) { change({ isVisible: visible }); },
      get isActive() { return state.isActive; },
      get isProgressVisible() { return state.isProgressVisible; },
      setText: (/** @type {string} */ text) => change({ text: String(text).trim() }),
      show: () => change({ isVisible: true }),
      hide: () => change({ isVisible: false }),
      enable: () => change({ isActive: true }),
      disable: () => change({ isActive: false }),
      showProgress: (/** @type {boolean} */ leaveActive) =>
        change({ isProgressVisible: true, isActive: Boolean(leaveActive) }),
      hideProgress: () => change({ isProgressVisible: false, isActive: true }),
      onClick: (/** @type {Function} */ listener) => (WebApp.onEvent(clickEvent, listener), self),
      offClick: (/** @type {Function} */ listener) => (WebApp.offEvent(clickEvent, listener), self),
      setParams: (/** @type {any} */ params) => {
        const names = { text: "text", color: "color", text_color: "textColor", is_active: "isActive", is_visible: "isVisible" };
        const known = Object.entries(names).filter(([name]) => params[name] !== undefined);
        return change(Object.fromEntries(known.map(([name, ours]) => [ours, params[name]])));
      },
    };
    return self;
  }

  const haptic = (/** @type {object} */ data) => (post("web_app_trigger_haptic_feedback", data), WebApp.HapticFeedback);
  /** @type {((id: string) => void) | null} */
  let popupClosed = null;

  const WebApp = /** @type {any} */ ({
    initData: launch.tgWebAppData || "",
    initDataUnsafe: readUnsafe(launch.tgWebAppData || ""),
    version: launch.tgWebAppVersion || "6.0",
    platform: launch.tgWebAppPlatform || "unknown",
    colorScheme: "light",
    themeParams: {},
    isExpanded: true,
    viewportHeight: window.innerHeight,
    viewportStableHeight: window.innerHeight,
    isVersionAtLeast: atLeast,
    ready: () => post("web_app_ready"),
    expand: () => post("web_app_expand"),
    close: () => post("web_app_close", {}),
    sendData: (/** @type {string} */ data) => post("web_app_data_send", { data }),
    setHeaderColor: (/** @type {string} */ color) =>
      post("web_app_set_header_color", /^#/.test(color) ? { color } : { color_key: color }),
    setBackgroundColor: (/** @type {string} */ color) =>
      post("web_app_set_background_color", { color: WebApp.themeParams[color] || color }),
    enableClosingConfirmation: () => post("web_app_setup_closing_behavior", { need_confirmation: true }),
    disableClosingConfirmation: () => post("web_app_setup_closing_behavior", { need_confirmation: false }),
    openLink(/** @type {string} */ url, /** @type {any} */ options = {}) {
      const target = new URL(url, location.href);
      if (target.protocol !== "http:" && target.protocol !== "https:") {
        console.error("[Telegram.WebApp] Url protocol is not supported", url);
        throw Error("WebAppTgUrlInvalid");
      }
      if (!embedded) window.open(target.href, "_blank");
      post("web_app_open_link", { url: target.href, ...(options.try_browser && { try_browser: options.try_browser }) });
    },
    openTelegramLink(/** @type {string} */ url) {
      const target = new URL(url, location.href);
      if (!/^https?:$/.test(target.protocol) || target.hostname !== "t.me") {
        console.error("[Telegram.WebApp] Url host is not supported", url);
        throw Error("WebAppTgUrlInvalid");
      }
      post("web_app_open_tg_link", { path_full: target.pathname + target.search });
    },
    showPopup(/** @type {any} */ params, /** @type {Function} */ callback) {
      if (popupClosed) throw Error("WebAppPopupOpened");
      popupClosed = (id) => callback && callback(id);
      post("web_app_open_popup", {
        title: params.title || "",
        message: params.message,
        buttons: params.buttons || [{ id: "", type: "close" }],
      });
    },
    showAlert: (/** @type {string} */ message, /** @type {Function} */ callback) =>
      WebApp.showPopup({ message }, () => callback && callback()),
    showConfirm: (/** @type {string} */ message, /** @type {Function} */ callback) =>
      WebApp.showPopup(
        { message, buttons: [{ id: "ok", type: "ok" }, { id: "", type: "cancel" }] },
        (/** @type {string} */ id) => callback && callback(id === "ok"),
      ),
    onEvent(/** @type {string} */ name, /** @type {Function} */ listener) {
      listeners.set(name, (listeners.get(name) || new Set()).add(listener));
    },
    offEvent: (/** @type {string} */ name, /** @type {Function} */ listener) => listeners.get(name)?.delete(listener),
    HapticFeedback: {
      impactOccurred: (/** @type {string} */ style) => haptic({ type: "impact", impact_style: style }),
      notificationOccurred: (/** @type {string} */ type) => haptic({ type: "notification", notification_type: type }),
      selectionChanged: () => haptic({ type: "selection_change" }),
    },
  });
  WebApp.MainButton = button("web_app_setup_main_button", "mainButtonClicked", {
    text: "Continue", isVisible: false, isActive: true, isProgressVisible: false,
  });
  WebApp.BackButton = button("web_app_setup_back_button", "backButtonClicked", { isVisible: false });

  /** @type {Record<string, (data: any) => void>} */
  const received = {
    theme_changed(data) {
      applyTheme(data.theme_params);
      emit("themeChanged");
    },
    viewport_changed(data) {
      applyViewport(data);
      emit("viewportChanged", { isStateStable: data.is_state_stable !== false });
    },
    main_button_pressed() {
      if (WebApp.MainButton.isActive) emit("mainButtonClicked");
    },
    back_button_pressed: () => emit("backButtonClicked"),
    popup_closed(data) {
      const id = (data && data.button_id) || "";
      const closed = popupClosed;
      popupClosed = null;
      closed?.(id);
      emit("popupClosed", { button_id: id });
    },
  };

  window.addEventListener("message", (event) => {
    if (!embedded || event.source !== window.parent || typeof event.data !== "string") return;
    let message;
    try {
      message = JSON.parse(event.data);
    } catch {
      return;
    }
    if (message && Object.hasOwn(received, message.eventType)) received[message.eventType](message.eventData || {});
  });

  /** @type {any} */ (window).Telegram = { WebApp };
  try {
    applyTheme(JSON.parse(launch.tgWebAppThemeParams || "{}"));
  } catch {
    applyTheme({});
  }
  applyViewport({});
  post("iframe_ready", { reload_supported: false });
  post("web_app_request_theme");
  post("web_app_request_viewport");
})();
