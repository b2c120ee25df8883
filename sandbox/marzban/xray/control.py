"""The running core's API over gRPC: users in and out, and their traffic."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from xray.app.proxyman.command import command_pb2, command_pb2_grpc
from xray.app.stats.command import command_pb2 as stats_pb2
from xray.app.stats.command import command_pb2_grpc as stats_pb2_grpc
from xray.common.protocol.user_pb2 import User
from xray.common.serial.typed_message_pb2 import TypedMessage
from xray.proxy.shadowsocks import config_pb2 as shadowsocks
from xray.proxy.vless import account_pb2 as vless

_TIMEOUT: Final = 5.0
# Classic Shadowsocks: the panel's name of a method, and the core's.
_CIPHERS: Final = {
    "aes-128-gcm": shadowsocks.AES_128_GCM,
    "aes-256-gcm": shadowsocks.AES_256_GCM,
    "chacha20-ietf-poly1305": shadowsocks.CHACHA20_POLY1305,
}


class CoreRefused(Exception):
    """The core's own words, or that it does not answer."""


class Control:
    """Raises CoreRefused from every call."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        self._handler = command_pb2_grpc.HandlerServiceStub(self._channel)
        self._stats = stats_pb2_grpc.StatsServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def add(self, tag: str, email: str, protocol: str, settings: Mapping[str, Any]) -> None:
        account = _typed(_account(protocol, settings))
        user = User(level=0, email=email, account=account)
        self._alter(tag, command_pb2.AddUserOperation(user=user))

    def remove(self, tag: str, email: str) -> bool:
        """Whether it was there."""
        try:
            self._alter(tag, command_pb2.RemoveUserOperation(email=email))
        except CoreRefused as refused:
            if "not found" in str(refused):
                return False
            raise
        return True

    def traffic(self) -> dict[str, int]:
        """Bytes by email, up and down together, since this was asked the last time."""
        query = stats_pb2.QueryStatsRequest(pattern="user>>>", reset=True)
        counted: dict[str, int] = {}
        for stat in self._called(self._stats.QueryStats, query).stat:
            email = stat.name.split(">>>")[1]
            counted[email] = counted.get(email, 0) + stat.value
        return counted

    def _alter(self, tag: str, operation: Message) -> None:
        request = command_pb2.AlterInboundRequest(tag=tag, operation=_typed(operation))
        self._called(self._handler.AlterInbound, request)

    def _called(self, call: Any, request: Message) -> Any:
        try:
            # The first call after a restart may find the old connection.
            return call(request, timeout=_TIMEOUT, wait_for_ready=True)
        except grpc.RpcError as error:
            # grpc's own types do not say that an error of a call tells its details.
            details: str = getattr(error, "details", error.__str__)()
            raise CoreRefused(details) from None


def _account(protocol: str, settings: Mapping[str, Any]) -> Message:
    if protocol == "vless":
        account: Message = vless.Account(id=settings["id"], flow=settings["flow"], encryption="none")
    else:
        account = shadowsocks.Account(password=settings["password"], cipher_type=_CIPHERS[settings["method"]])
    return account


def _typed(message: Message) -> TypedMessage:
    return TypedMessage(type=message.DESCRIPTOR.full_name, value=message.SerializeToString())
