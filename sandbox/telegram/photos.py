"""The photos a bot uploaded: kept as they came, measured, found again by their file id."""

import base64
import hashlib
import struct
from typing import Any

from sandbox.store import Document, Store
from sandbox.telegram.api import Call, Method
from sandbox.telegram.refusal import bad_request

_LARGEST = 10 * 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"


class Photos:
    def __init__(self, store: Store) -> None:
        self._table = store.table("telegram files")

    def methods(self) -> dict[str, Method]:
        return {"getFile": self.get_file}

    def add(self, content: bytes) -> str:
        """The id of a new photo; the same bytes have the same id."""
        if not content:
            raise bad_request("file must be non-empty")
        if len(content) > _LARGEST:
            raise bad_request(f"file of size {len(content)} bytes is too big for a photo")
        size = _size_of(content)
        if size is None:
            raise bad_request("IMAGE_PROCESS_FAILED")
        width, height = size
        if width + height > 10_000 or max(size) > 20 * min(size):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        digest = hashlib.sha256(content).hexdigest()
        file_id = f"AgACAgIAAxk{digest[:40]}"
        if file_id not in self._table:
            self._table[file_id] = {
                "file_unique_id": f"AQAD{digest[40:52]}",
                "file_path": f"photos/file_{len(self._table)}.{'png' if content.startswith(_PNG) else 'jpg'}",
                "width": width,
                "height": height,
                "file_size": len(content),
                "content": base64.b64encode(content).decode(),
            }
        return file_id

    def sizes(self, file_id: str) -> list[Document]:
        """The `PhotoSize`s of the Bot API; one, because nothing is scaled here."""
        file = self._table.get(file_id)
        if file is None:
            raise bad_request("wrong remote file identifier specified: Wrong string length")
        fields = ("file_unique_id", "file_size", "width", "height")
        return [{"file_id": file_id, **{name: file[name] for name in fields}}]

    async def get_file(self, call: Call) -> Any:
        file_id = call.parameters.text("file_id")
        file = self._table.get(file_id)
        if file is None:
            raise bad_request("invalid file_id")
        fields = ("file_unique_id", "file_size", "file_path")
        return {"file_id": file_id, **{name: file[name] for name in fields}}

    def content(self, *, file_id: str = "", path: str = "") -> tuple[bytes, str] | None:
        """Bytes and content type, by id or by path."""
        for key in [file_id] if file_id else self._table:
            file = self._table.get(key)
            if file is not None and path in ("", file["file_path"]):
                kind = "image/png" if file["file_path"].endswith(".png") else "image/jpeg"
                return base64.b64decode(file["content"]), kind
        return None


def _size_of(content: bytes) -> tuple[int, int] | None:
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return (width, height) if width and height else None
    if not content.startswith(_JPEG):
        return None
    position = 2
    while position + 9 <= len(content):
        marker, length = struct.unpack(">HH", content[position : position + 4])
        # A start-of-frame segment carries the size; C4, C8 and CC are other things in the same range.
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return (width, height) if width and height else None
        position += 2 + length
    return None
