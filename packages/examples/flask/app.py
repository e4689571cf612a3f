"""Flask with a counter in the memory of this process. A cookie names the visitor; the proxy's own cookie names the node."""
import os
import secrets
import sys
import threading

from flask import Flask, make_response, request
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)
# One proxy in front: the last value of each X-Forwarded-* field is trusted.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
name = os.environ.get("ROLLCALL_NODE_ID", "flask")
visits = {}
lock = threading.Lock()


@app.get("/")
def index():
    visitor = request.cookies.get("visitor", "")
    with lock:
        if visitor not in visits:
            visitor = secrets.token_hex(16)
        visits[visitor] = count = visits.get(visitor, 0) + 1
    response = make_response(f"{name} has seen you {count} times\n")
    response.mimetype = "text/plain"
    response.set_cookie("visitor", visitor, httponly=True, samesite="Lax")
    return response


if __name__ == "__main__":
    # For this example. In production: gunicorn with one worker process for each node.
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(sys.argv[1]), threaded=True)
