"""What pages share."""

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.urls import get_script_prefix

register = template.Library()


class OnceNode(template.Node):
    child_nodelists = ()  # no blocks: they are not looked for

    def __init__(self, nodelist: NodeList, values: list[FilterExpression]) -> None:
        self.nodelist, self.values = nodelist, values
        self.drawn: dict[tuple[Any, ...], str] = {}

    def render(self, context: template.Context) -> str:
        key = (get_script_prefix(), *(value.resolve(context) for value in self.values))
        if key not in self.drawn:
            self.drawn[key] = self.nodelist.render(context)
        return self.drawn[key]


@register.tag
def once(parser: Parser, token: Token) -> OnceNode:
    """`{% once a b %}…{% endonce %}`: drawn once in each process for each of the few values that
    `a` and `b` can have. It may hold nothing else that changes: addresses of pages and files."""
    values = [parser.compile_filter(one) for one in token.split_contents()[1:]]
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    return OnceNode(nodelist, values)
