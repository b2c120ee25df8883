"""Who asks: the customer whom verified init data names, at most so often."""

from dataclasses import dataclass

from flask import g, request

from node_a.domain.customer import Customer, Standing
from node_a.domain.errors import CustomerBanned
from node_a.web.init_data import InitDataRejected, verified_user
from node_a.web.needs import Web
from node_a.web.rate import Rate

_SCHEME = "tma "


class NoInitData(InitDataRejected):
    """Opened outside of Telegram, or from a button that gives none."""


class TooManyRequests(Exception):
    """`wait`: seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"wait {wait} s")
        self.wait = wait


class BeingErased(Exception):
    """This customer asked to be erased; until that is done there is nothing to see."""


@dataclass(frozen=True, slots=True)
class IdentifyCustomer:
    """Raises InitDataRejected, TooManyRequests, CustomerBanned and BeingErased. A new visitor is a customer from now
    on."""

    web: Web

    def __call__(self, rate: Rate) -> Customer:
        header = request.headers.get("Authorization", "")
        if not header.startswith(_SCHEME):
            raise NoInitData("no init data")
        user = verified_user(
            header[len(_SCHEME) :],
            bot_token=self.web.bot_token,
            max_age=self.web.init_data_max_age,
            now=self.web.clock(),
        )
        g.customer_id = user.id
        wait = rate.wait(user.id)
        if wait:
            raise TooManyRequests(wait)
        customer = self.web.register(user.id, user.language_code)
        g.language = customer.language
        if customer.standing is Standing.BANNED:
            raise CustomerBanned(customer.id)
        if customer.standing is Standing.DELETED:
            raise BeingErased(customer.id)
        return customer
