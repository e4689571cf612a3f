#!/bin/sh
# Starts one Tomcat 10 as a node: start.sh PORT ROUTE. CATALINA_HOME is the installation, by default Debian's.
# Each node has a CATALINA_BASE of its own, so that one installation serves all of them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export CATALINA_HOME="${CATALINA_HOME:-/usr/share/tomcat10}"
export CATALINA_BASE="${XDG_STATE_HOME:-$HOME/.local/state}/rollcall-example-tomcat/$2"
mkdir -p "$CATALINA_BASE/conf" "$CATALINA_BASE/logs" "$CATALINA_BASE/temp" "$CATALINA_BASE/webapps/ROOT" "$CATALINA_BASE/work"
cp "$here/server.xml" "$here/web.xml" "$CATALINA_BASE/conf/"
cp "$here/index.jsp" "$CATALINA_BASE/webapps/ROOT/"
export CATALINA_OPTS="-Drollcall.port=$1 -DjvmRoute=$2 ${CATALINA_OPTS:-}"
exec "$CATALINA_HOME/bin/catalina.sh" run
