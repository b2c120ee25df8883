"""`python -m tests.node_b.containers.as_node_a FILE`: Node A's two log-ins, with nothing but its `.env`.

Prints what panel and agent answered, as JSON. A process of its own, because it must run in the node's network.
"""

import json
import ssl
import sys
from pathlib import Path

import httpx

from node_a.settings import read_settings


def main() -> None:
    (node,) = read_settings({}, Path(sys.argv[1])).nodes.values()
    with httpx.Client(verify=ssl.create_default_context(cadata=node.certificate), trust_env=False) as client:
        form = {"username": node.panel_username, "password": node.panel_password.get_secret_value()}
        panel = client.post(f"{node.url}/api/admin/token", data=form)
        bearer = {"Authorization": f"Bearer {node.agent_token.get_secret_value()}"}
        agent = client.get(f"{node.url}/agent/v1/status", headers=bearer)
        print(json.dumps({"panel": panel.status_code, "agent": agent.status_code, "status": agent.json()}))


main()
