"""What the bot has not confirmed yet, and the long poll that hands it over."""

from typing import Any

from sandbox.store import Document, Store
from sandbox.telegram.api import Call, Method
from sandbox.telegram.bell import Bell
from sandbox.telegram.refusal import Refusal, bad_request

# Not delivered unless asked for by name; everything else is the default.
_ON_REQUEST = {"chat_member", "message_reaction", "message_reaction_count"}
_LONGEST_POLL = 50  # seconds


class Updates:
    def __init__(self, store: Store, bell: Bell) -> None:
        self._bell = bell
        self._table = store.table("telegram updates")
        self._state_table = store.table("telegram update queue")
        self._state: Document = self._state_table.get("state", {"last": 1000, "allowed": []})
        self._pending: dict[int, Document] = {int(key): update for key, update in self._table.items()}
        self._polls = 0

    def methods(self) -> dict[str, Method]:
        return {
            "getUpdates": self.get_updates,
            "deleteWebhook": self.delete_webhook,
            "getWebhookInfo": self.get_webhook_info,
        }

    def add(self, kind: str, body: Document) -> None:
        allowed = self._state["allowed"]
        if kind not in allowed if allowed else kind in _ON_REQUEST:
            return
        number = self._state["last"] + 1
        self._remember(last=number)
        self._pending[number] = self._table[str(number)] = {"update_id": number, kind: body}
        self._bell.ring()

    async def get_updates(self, call: Call) -> Any:
        offset = call.parameters.integer("offset") or 0
        limit = call.parameters.integer("limit") or 100
        timeout = min(max(call.parameters.integer("timeout") or 0, 0), _LONGEST_POLL)
        self._choose(call.parameters.json("allowed_updates", "allowed updates"))
        self._polls += 1
        self._bell.ring()  # an older poll must notice that it is not the last one any more
        this_poll = self._polls
        self._confirm_before(offset)
        await self._bell.wait_until(lambda: bool(self._pending) or self._polls != this_poll or call.broken(), timeout)
        if self._polls != this_poll:
            raise Refusal(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        return list(self._pending.values())[: min(max(limit, 1), 100)]

    async def delete_webhook(self, call: Call) -> Any:
        if call.parameters.boolean("drop_pending_updates"):
            self._confirm_before(self._state["last"] + 1)
        return True

    async def get_webhook_info(self, call: Call) -> Any:
        return {"url": "", "has_custom_certificate": False, "pending_update_count": len(self._pending)}

    def _choose(self, allowed: Any) -> None:
        if allowed is None:
            return
        if not isinstance(allowed, list) or not all(isinstance(kind, str) for kind in allowed):
            raise bad_request("can't parse allowed updates: expected an Array of String")
        if allowed != self._state["allowed"]:
            self._remember(allowed=allowed)

    def _confirm_before(self, offset: int) -> None:
        if offset < 0:  # counted from the end of the queue
            offset = ([0, *self._pending][offset:] or [0])[0] if -offset <= len(self._pending) else 0
        for number in [number for number in self._pending if number < offset]:
            del self._pending[number]
            del self._table[str(number)]

    def _remember(self, **changes: Any) -> None:
        self._state = {**self._state, **changes}
        self._state_table["state"] = self._state
