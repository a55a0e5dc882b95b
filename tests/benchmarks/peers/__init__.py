"""The benchmarked application, once for each peer, each as its own users would write it for speed.

Every module offers the same three functions:

``create_app(extra_routes)``
    The small routes, preceded by that many others (every second one with an int parameter).
``create_full_app()``
    A page behind two before hooks and one after hook, with session and template; async where the peer can.
``create_full_sync_app()``
    The same with ``def`` functions.
"""
