"""Text and captions: formatting, limits, link previews."""

from typing import Any

from sandbox.store import Document
from sandbox.telegram.entities import found_by_itself, read_html
from sandbox.telegram.parameters import Parameters
from sandbox.telegram.refusal import bad_request

_PREVIEW_OPTIONS = {
    "is_disabled": bool,
    "url": str,
    "prefer_small_media": bool,
    "prefer_large_media": bool,
    "show_above_text": bool,
}


def text_content(parameters: Parameters) -> Document:
    text, entities = _formatted(parameters, "text", "entities")
    if not text:
        raise bad_request("message text is empty")
    if len(text) > 4096:
        raise bad_request("message is too long")
    content: Document = {"text": text}
    if entities:
        content["entities"] = entities
    preview = parameters.json("link_preview_options", "link preview options")
    if preview is not None:
        _check_preview(preview)
        content["link_preview_options"] = preview
    return content


def caption_content(parameters: Parameters) -> Document:
    caption, entities = _formatted(parameters, "caption", "caption_entities")
    if len(caption) > 1024:
        raise bad_request("message caption is too long")
    content: Document = {}
    if caption:
        content["caption"] = caption
    if entities:
        content["caption_entities"] = entities
    return content


def _check_preview(preview: Any) -> None:
    if not isinstance(preview, dict):
        raise bad_request("object expected as link preview options")
    for name, value in preview.items():
        if name not in _PREVIEW_OPTIONS or not isinstance(value, _PREVIEW_OPTIONS[name]):
            raise bad_request(f'can\'t parse link preview options: field "{name}"')


def _formatted(parameters: Parameters, name: str, entities_name: str) -> tuple[str, list[Document]]:
    mode = parameters.text("parse_mode").lower()
    text = parameters.text(name)
    if mode == "html":
        text, entities = read_html(text)
    elif mode not in ("", "none"):
        raise bad_request("unsupported parse_mode")  # Markdown: nobody here sends it
    else:
        given = parameters.json(entities_name, "message entities") or []
        if not isinstance(given, list) or not all(_is_entity(entity) for entity in given):
            raise bad_request("can't parse entities: expected an Array of MessageEntity")
        text, entities = text if given else text.strip(), given
    return text, found_by_itself(text, entities)


def _is_entity(entity: Any) -> bool:
    kinds = {"type": str, "offset": int, "length": int}
    return isinstance(entity, dict) and all(isinstance(entity.get(k), kind) for k, kind in kinds.items())
