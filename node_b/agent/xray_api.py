"""What the running Xray is told and asked over gRPC: the only file that knows its messages, which have no types."""

import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

# Its own lines on stderr know nothing of our logs.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from xray.app.proxyman.command import command_pb2 as handler
from xray.app.proxyman.command import command_pb2_grpc as handler_calls
from xray.app.stats.command import command_pb2 as stats
from xray.app.stats.command import command_pb2_grpc as stats_calls
from xray.common.protocol import user_pb2
from xray.common.serial import typed_message_pb2
from xray.proxy.shadowsocks_2022 import config_pb2 as shadowsocks

from shared.inbounds import SHADOWSOCKS_KEY_BYTES, SHADOWSOCKS_TAG

# No customer can have such a name.
DUMMY: Final = "dummy-"
# A change takes milliseconds; an Xray that takes so long hangs.
_PATIENCE: Final = 5.0
_OPTIONS: Final = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    # A new Xray on the port of the last one must not wait for that one's backoff.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
]


class ApiRefused(Exception):
    """Xray answered, and did not do it: what we believe of it is wrong."""


class ApiSilent(Exception):
    """Xray did not answer: it may have done it or not."""


class XrayApi:
    """Every call raises ApiRefused and ApiSilent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS)
        self._handler: Any = handler_calls.HandlerServiceStub(self._channel)
        self._stats: Any = stats_calls.StatsServiceStub(self._channel)

    def add(self, name: str, key: str) -> None:
        account = _typed(shadowsocks.Account(key=key))
        self._alter(handler.AddUserOperation(user=user_pb2.User(email=name, account=account)))

    def add_dummy(self) -> None:
        """A user whom nobody is, to stand last in Xray's table when another is removed: the last one takes the place of
        the removed one, and connections that are just being made would be booked on it."""
        self.add(DUMMY + secrets.token_hex(8), b64encode(secrets.token_bytes(SHADOWSOCKS_KEY_BYTES)).decode())

    def remove(self, name: str) -> None:
        self._alter(handler.RemoveUserOperation(email=name))

    def users(self) -> list[tuple[str, str]]:
        """Names and keys of everybody in the table, dummies and placeholder too."""
        answer = self._asked(self._handler.GetInboundUsers, handler.GetInboundUserRequest(tag=SHADOWSOCKS_TAG))
        found = []
        for user in answer.users:
            account = shadowsocks.Account()
            account.ParseFromString(user.account.value)
            found.append((str(user.email), str(account.key)))
        return found

    def traffic(self) -> Mapping[tuple[str, str], int]:
        """Bytes since this Xray's start by name and direction (`uplink`, `downlink`)."""
        answer = self._asked(self._stats.QueryStats, stats.QueryStatsRequest(pattern=">>>traffic>>>"))
        found = {}
        for counter in answer.stat:
            parts = counter.name.split(">>>")
            if len(parts) == 4 and parts[0] == "user":
                found[parts[1], parts[3]] = int(counter.value)
        return found

    def online(self) -> set[str]:
        """Names of those with an open connection from another machine."""
        answer = self._asked(self._stats.GetAllOnlineUsers, stats.GetAllOnlineUsersRequest())
        return {name.split(">>>")[1] for name in answer.users if name.startswith("user>>>")}

    def stop_listening(self) -> None:
        """New connections go to the other Xray on the port; the open ones stay."""
        self._asked(self._handler.RemoveInbound, handler.RemoveInboundRequest(tag=SHADOWSOCKS_TAG))

    def close(self) -> None:
        self._channel.close()

    def _alter(self, operation: Any) -> None:
        request = handler.AlterInboundRequest(tag=SHADOWSOCKS_TAG, operation=_typed(operation))
        self._asked(self._handler.AlterInbound, request)

    def _asked(self, call: Callable[..., Any], request: Any) -> Any:
        try:
            return call(request, timeout=_PATIENCE)
        except grpc.RpcError as error:
            failed: Any = error
            kind = ApiRefused if failed.code() == grpc.StatusCode.UNKNOWN else ApiSilent
            # Without its text, which repeats what was sent.
            raise kind(failed.code().name) from None
        except ValueError:  # the channel was closed
            raise ApiSilent("closed") from None


def _typed(message: Any) -> Any:
    return typed_message_pb2.TypedMessage(type=message.DESCRIPTOR.full_name, value=message.SerializeToString())
