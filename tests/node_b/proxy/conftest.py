"""A node's proxy in front of upstreams that write down what reaches them: once as Caddy, once as nginx."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.node_b.proxy.certificates import Certificate, a_certificate
from tests.node_b.proxy.proxies import KINDS, Proxy, a_proxy
from tests.node_b.proxy.upstreams import Upstream, upstream


@dataclass
class Site:
    proxy: Proxy
    panel: Upstream
    agent: Upstream
    telegram: Upstream

    def seen(self) -> list[str]:
        """What got through since the test began."""
        sides = {"panel": self.panel, "agent": self.agent, "telegram": self.telegram}
        return [f"{name}: {call}" for name, side in sides.items() for call in side.seen()]

    def forget(self) -> None:
        for side in (self.panel, self.agent, self.telegram):
            side.calls.clear()
            side.behave = None


@pytest.fixture(scope="session")
def nodes_own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return a_certificate(tmp_path_factory.mktemp("certificate"), "node.test")


@pytest.fixture(scope="session", params=KINDS)
def whole_site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nodes_own: Certificate
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp(request.param)
    with (
        upstream() as panel,
        upstream() as agent,
        upstream() as telegram,
        a_proxy(
            request.param,
            directory,
            nodes_own,
            panel=panel.address,
            agent=agent.address,
            telegram=telegram.address,
        ) as proxy,
    ):
        yield Site(proxy, panel, agent, telegram)


@pytest.fixture
def site(whole_site: Site) -> Site:
    whole_site.forget()
    return whole_site
