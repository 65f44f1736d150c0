"""How a process serves: the sockets it opens, the drain at its end, what bounds it.

`wsgi.py` alone knows eventlet, and brings its server to `serve`.
"""
