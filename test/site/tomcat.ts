/** Debian's Tomcat, unmodified, with one page of our own that counts visits. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOME = '/usr/share/tomcat10';

/** False when it is there; otherwise how to install it. */
export const noTomcat: string | false = existsSync(join(HOME, 'bin', 'catalina.sh'))
  ? false
  : 'apt-get install tomcat10-common default-jre-headless';

/** Page that counts: node, visits, and a link that carries the session id. */
const PAGE = `<%@ page contentType="application/json" %><%
  Integer count = (Integer) session.getAttribute("count");
  count = count == null ? 1 : count + 1;
  session.setAttribute("count", count);
%>{"node":"<%= System.getProperty("rollcall.node") %>","count":<%= count %>,"link":"<%= response.encodeURL("/visit.jsp") %>","session":"<%= session.getId() %>"}`;

const WEB_XML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
<servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping></web-app>`;

/** With `\${jvmRoute}` from the system property, as -DjvmRoute sets it. */
const SERVER_XML = `<Server port="-1"><Service name="Catalina">
<Connector address="127.0.0.1" port="\${rollcall.port}" protocol="HTTP/1.1"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="\${jvmRoute}">
<Host name="localhost" appBase="webapps"/></Engine></Service></Server>`;

/** Lays a base directory out and returns the command that runs Tomcat in it, for \`rollcall run\`. */
export function tomcatCommand(base: string): string[] {
  for (const folder of ['conf', 'logs', 'temp', 'work', join('webapps', 'ROOT')])
    mkdirSync(join(base, folder), { recursive: true });
  writeFileSync(join(base, 'conf', 'web.xml'), WEB_XML);
  writeFileSync(join(base, 'conf', 'server.xml'), SERVER_XML);
  writeFileSync(join(base, 'webapps', 'ROOT', 'visit.jsp'), PAGE);
  const options =
    '-Drollcall.port={port} -DjvmRoute={route} -Drollcall.node={id} -Xmx96m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC';
  return [
    'sh',
    '-c',
    `CATALINA_HOME=${HOME} CATALINA_BASE=${base} CATALINA_OPTS="${options}" exec ${HOME}/bin/catalina.sh run >/dev/null 2>&1`,
  ];
}
