"""Templates in the customer's language: one Jinja environment for each, with its catalogue."""

from functools import partial
from typing import Any

from flask import request
from jinja2 import Environment, PackageLoader, StrictUndefined

from node_a.domain.customer import Language
from node_a.web.needs import Web
from node_a.wording import formats
from node_a.wording.catalogue import catalogue_for


class Pages:
    """`pages("home.html", language, plans=…)` is HTML; values are escaped."""

    def __init__(self, web: Web, assets: dict[str, str]) -> None:
        self._default = web.default_language
        self._environments = {language: _environment(language, web, assets) for language in Language}

    def __call__(self, template: str, language: Language, **values: object) -> str:
        return self._environments[language].get_template(template).render(**values)

    def requested_language(self) -> Language:
        """What the browser prefers, for pages whose reader is not known."""
        return Language.best_for(request.accept_languages.best, self._default)


def _environment(language: Language, web: Web, assets: dict[str, str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("node_a.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The i18n extension adds its methods at run time.
    extended: Any = environment
    extended.install_gettext_translations(catalogue_for(language), newstyle=True)
    for name in ("money", "date", "date_and_time", "days_left", "plan_title", "size", "traffic"):
        environment.filters[name] = partial(getattr(formats, name), language=language)
    environment.globals.update(
        language=language.value,
        asset=assets.__getitem__,
        shop_name=web.shop_name,
        bot_url=web.bot_url,
        support=web.support_contact,
        support_url=web.support_url,
        telegram_script=web.telegram_script,
    )
    return environment
