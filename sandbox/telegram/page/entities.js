// Message text with entities as DOM nodes; text never becomes markup.

/**
 * @typedef {{type: string, offset: number, length: number, url?: string, language?: string}} Entity
 * Offsets are UTF-16 code units, which is what JavaScript counts, too.
 */

/** @type {Record<string, string>} */
const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote", spoiler: "span",
};

/**
 * @param {string} text
 * @param {Entity[]} entities in order of offset, the longer one first
 * @param {(command: string) => void} onCommand
 * @returns {DocumentFragment}
 */
export function formatted(text, entities, onCommand) {
  const fragment = document.createDocumentFragment();
  fill(fragment, 0, text.length, entities.slice());
  return fragment;

  /** @param {Node} parent @param {number} from @param {number} to @param {Entity[]} inside */
  function fill(parent, from, to, inside) {
    let at = from;
    while (inside.length) {
      const entity = /** @type {Entity} */ (inside.shift());
      const end = Math.min(entity.offset + entity.length, to);
      if (entity.offset < at || end <= entity.offset) continue; // overlapping: the first one wins
      parent.appendChild(document.createTextNode(text.slice(at, entity.offset)));
      const nested = [];
      while (inside.length && inside[0].offset < end) nested.push(/** @type {Entity} */ (inside.shift()));
      const node = element(entity, text.slice(entity.offset, end));
      fill(node, entity.offset, end, nested);
      parent.appendChild(node);
      at = end;
    }
    parent.appendChild(document.createTextNode(text.slice(at, to)));
  }

  /** @param {Entity} entity @param {string} content */
  function element(entity, content) {
    if (entity.type === "url" || entity.type === "text_link") return link(entity.url || content);
    if (entity.type === "bot_command") {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "command";
      button.addEventListener("click", () => onCommand(content));
      return button;
    }
    const node = document.createElement(TAGS[entity.type] || "span");
    if (entity.type === "spoiler") node.className = "spoiler";
    if (entity.type === "code" || entity.type === "pre") {
      node.title = "Click to copy";
      node.addEventListener("click", () => navigator.clipboard?.writeText(content));
    }
    return node;
  }
}

/** @param {string} url */
function link(url) {
  const anchor = document.createElement("a");
  if (/^(https?|tg|mailto):/i.test(url)) anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  return anchor;
}
