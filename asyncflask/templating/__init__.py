"""Jinja templates.

`environment` is how they are compiled and called, `loading` where they are found, `rendering` what views
call, `awaiting` how they get the values of async functions.
"""

from ..ctx import _default_template_ctx_processor as _default_template_ctx_processor
from ..globals import current_app as current_app
from ..globals import request as request
from ..helpers import stream_with_context as stream_with_context
from ..signals import before_render_template as before_render_template
from ..signals import template_rendered as template_rendered
from .environment import Context, Environment, Template, make_environment
from .loading import DispatchingJinjaLoader
from .rendering import TemplateName as TemplateName
from .rendering import (
    render_template,
    render_template_async,
    render_template_string,
    stream_template,
    stream_template_string,
)

__all__ = [
    "Context",
    "DispatchingJinjaLoader",
    "Environment",
    "Template",
    "make_environment",
    "render_template",
    "render_template_async",
    "render_template_string",
    "stream_template",
    "stream_template_string",
]
