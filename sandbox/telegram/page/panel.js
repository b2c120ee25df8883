// The panel beside the phone: who the customer is, what is broken, light or dark.

/** @type {Record<string, string>} */
const TROUBLES = {
  lose_next_webhook: "Lose the next webhook",
  send_webhooks_twice: "Send every webhook twice",
  telegram_down: "Telegram is down",
};
/** @type {Record<string, string>} of one node, whose code stands before a dot */
const NODE_TROUBLES = {
  marzban_down: "Marzban is down",
  agent_down: "agent is down",
  down: "the whole node is down",
  slow: "answers slowly",
};

/** @param {string} name */
function inWords(name) {
  const [code, ofNode] = name.split(".");
  return ofNode ? `${code.toUpperCase()}: ${NODE_TROUBLES[ofNode]}` : TROUBLES[name];
}

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {{id: number, language: string, theme: string}} customer changed in place
 * @param {{call: (path: string, body?: object) => Promise<any>, languageChanged: () => void,
 *          themeChanged: () => void}} hands
 */
export function setUpPanel(customer, hands) {
  byId("user-id").textContent = String(customer.id);
  byId("panel-button").addEventListener("click", (event) => {
    event.stopPropagation();
    const open = byId("panel").classList.toggle("open");
    byId("panel-button").setAttribute("aria-expanded", String(open));
  });
  document.addEventListener("click", (event) => {
    if (!byId("panel").contains(/** @type {Node} */ (event.target))) byId("panel").classList.remove("open");
  });
  byId("new-customer").addEventListener("click", () => {
    location.search = `?user=${7_000_000_000 + Math.floor(Math.random() * 1e9)}`;
  });

  choice("[data-language]", (button) => button.dataset.language, () => customer.language, (language) => {
    customer.language = language;
    localStorage.setItem("language", language);
    hands.languageChanged();
  });
  choice("[data-theme-choice]", (button) => button.dataset.themeChoice, () => customer.theme, (theme) => {
    customer.theme = theme;
    localStorage.setItem("theme", theme);
    hands.themeChanged();
  });

  const blocked = /** @type {HTMLInputElement} */ (byId("blocked"));
  blocked.addEventListener("change", () =>
    hands.call(`chats/${customer.id}/block`, { blocked: blocked.checked }).catch(() => (blocked.checked = false)),
  );
  /** @type {Map<string, HTMLInputElement>} */
  const switches = new Map();

  /** @param {string} name */
  function addSwitch(name) {
    const label = document.createElement("label");
    label.className = "switch trouble";
    const span = document.createElement("span");
    span.textContent = inWords(name);
    const input = document.createElement("input");
    input.type = "checkbox";
    input.name = name;
    input.dataset.testid = `trouble-${name}`;
    input.addEventListener("change", () => hands.call("troubles", { [name]: input.checked }).then(showTroubles));
    label.append(span, input);
    byId("troubles").append(label);
    switches.set(name, input);
    return input;
  }

  /** @param {Record<string, boolean>} troubles */
  function showTroubles(troubles) {
    for (const [name, on] of Object.entries(troubles)) (switches.get(name) ?? addSwitch(name)).checked = on;
  }

  return {
    showTroubles,
    /** @param {boolean} isBlocked */
    showBlocked(isBlocked) {
      blocked.checked = isBlocked;
    },
  };
}

/**
 * @param {string} selector @param {(button: HTMLElement) => string | undefined} value
 * @param {() => string} current @param {(value: string) => void} choose
 */
function choice(selector, value, current, choose) {
  const buttons = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
  const show = () =>
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(value(button) === current())));
  buttons.forEach((button) =>
    button.addEventListener("click", () => {
      choose(value(button) || "");
      show();
    }),
  );
  show();
}
