"""What the running Xray really has, asked without the agent."""

from contextlib import closing

import grpc
from xray.app.proxyman.command.command_pb2 import GetInboundUserRequest, GetInboundUserResponse
from xray.app.proxyman.command.command_pb2_grpc import HandlerServiceStub
from xray.proxy.shadowsocks_2022.config_pb2 import Account


def users_of(api_address: str, tag: str) -> dict[str, str]:
    """Keys by name, also the placeholder's and the dummies'. Raises grpc.RpcError."""
    with closing(grpc.insecure_channel(api_address, options=[("grpc.max_receive_message_length", -1)])) as channel:
        reply: GetInboundUserResponse = HandlerServiceStub(channel).GetInboundUsers(
            GetInboundUserRequest(tag=tag), timeout=30
        )
    return {user.email: Account.FromString(user.account.value).key for user in reply.users}
