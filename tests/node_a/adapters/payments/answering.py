"""A server in the provider's place that always answers the same."""

import json
from contextlib import AbstractContextManager

from werkzeug import Request, Response

from tests.serving import served


def a_provider_that_answers(answer: object) -> AbstractContextManager[str]:
    """A server that answers every request with one JSON document; its address."""

    @Request.application
    def always_the_same(request: Request) -> Response:
        request.get_data()
        return Response(json.dumps(answer))

    return served(always_the_same)
