"""What pages share."""

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.urls import get_script_prefix

register = template.Library()


class FixedNode(template.Node):
    child_nodelists = ()  # no blocks: they are not looked for

    def __init__(self, nodelist: NodeList, values: list[FilterExpression]) -> None:
        self.nodelist, self.values = nodelist, values
        self.drawn: tuple[str, dict[Any, str]] = "", {}  # for the last prefix of addresses

    def render(self, context: template.Context) -> str:
        prefix, drawn = self.drawn
        if prefix != get_script_prefix():
            prefix, drawn = self.drawn = get_script_prefix(), {}
        key = tuple(value.resolve(context) for value in self.values)
        if key not in drawn:
            drawn[key] = self.nodelist.render(context)
        return drawn[key]


@register.tag
def fixed(parser: Parser, token: Token) -> FixedNode:
    """`{% fixed a b %}…{% endfixed %}`: drawn once in each process for each of the few values that
    `a` and `b` can have. It may hold nothing else that changes: addresses of pages and files."""
    values = [parser.compile_filter(one) for one in token.split_contents()[1:]]
    nodelist = parser.parse(("endfixed",))
    parser.delete_first_token()
    return FixedNode(nodelist, values)
