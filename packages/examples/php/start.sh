#!/bin/sh
# Starts PHP's own web server for one node: start.sh PORT. The sessions of each node are in a directory of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sessions="${XDG_STATE_HOME:-$HOME/.local/state}/rollcall-example-php/$ROLLCALL_NODE_ID"
mkdir -p -m 700 "$sessions"
exec php -d session.save_path="$sessions" -S "127.0.0.1:$1" -t "$here" "$here/index.php"
