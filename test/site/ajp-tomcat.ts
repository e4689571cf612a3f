/** Debian's Tomcat with an AJP connector that requires a secret, and one servlet of our own. Ends with the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HOME = '/usr/share/tomcat10';
const SERVLET_API = '/usr/share/java/tomcat10-servlet-api.jar';

/** False when Tomcat and a compiler are there; otherwise how to install them. */
export const noAjpTomcat: string | false =
  existsSync(join(HOME, 'bin', 'catalina.sh')) && existsSync('/usr/bin/javac') && existsSync(SERVLET_API)
    ? false
    : 'apt-get install tomcat10-common default-jdk-headless';

/** Octet `i` of a large answer, and of a large upload. */
export function octetsOf(bytes: number): Buffer {
  const octets = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) octets[i] = (i * 31 + (i >> 8)) & 255;
  return octets;
}

const SERVLET = `import jakarta.servlet.http.*;
import java.io.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;
public class Pages extends HttpServlet {
  static final AtomicInteger aborted = new AtomicInteger();
  static final AtomicInteger served = new AtomicInteger();
  @Override protected void service(HttpServletRequest q, HttpServletResponse r) throws IOException {
    served.incrementAndGet();
    switch (q.getPathInfo() == null ? "" : q.getPathInfo()) {
      case "/echo": echo(q, r); break;
      case "/big": big(q, r); break;
      case "/session": session(q, r); break;
      case "/status": r.setStatus(Integer.parseInt(q.getParameter("code"))); break;
      case "/early": r.setStatus(409); r.getOutputStream().print("no"); break;
      case "/endless": endless(r); break;
      case "/counts": r.getOutputStream().print(aborted.get() + " " + served.get()); break;
      default: r.sendError(404);
    }
  }
  void echo(HttpServletRequest q, HttpServletResponse r) throws IOException {
    long length = 0;
    StringBuilder hex = new StringBuilder();
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] part = new byte[32768];
      for (int n; (n = q.getInputStream().read(part)) > 0; length += n) digest.update(part, 0, n);
      for (byte b : digest.digest()) hex.append(String.format("%02x", b));
    } catch (IOException e) { aborted.incrementAndGet(); throw e; }
    catch (java.security.NoSuchAlgorithmException e) { throw new IOException(e); }
    r.setContentType("text/plain");
    r.addHeader("X-Two", "1");
    r.addHeader("X-Two", "2");
    StringBuilder text = new StringBuilder();
    text.append("method=" + q.getMethod() + "\\nlength=" + length + "\\nsha=" + hex + "\\nuri=" + q.getRequestURI() + "\\nquery=" + q.getQueryString());
    text.append("\\nremote=" + q.getRemoteAddr() + "\\nscheme=" + q.getScheme() + "\\nserver=" + q.getServerName() + ":" + q.getServerPort());
    text.append("\\nuser=" + q.getRemoteUser() + "\\nprotocol=" + q.getProtocol() + "\\nport=" + q.getRemotePort());
    text.append("\\ncipher=" + q.getAttribute("jakarta.servlet.request.cipher_suite") + "\\nbits=" + q.getAttribute("jakarta.servlet.request.key_size"));
    for (String name : Collections.list(q.getHeaderNames())) for (String value : Collections.list(q.getHeaders(name))) text.append("\\nheader " + name.toLowerCase() + "=" + value);
    for (String name : Collections.list(q.getAttributeNames())) text.append("\\nattribute " + name);
    r.getOutputStream().print(text.toString());
  }
  void big(HttpServletRequest q, HttpServletResponse r) throws IOException {
    int bytes = Integer.parseInt(q.getParameter("bytes"));
    if (q.getParameter("announced") != null) r.setContentLength(bytes);
    byte[] part = new byte[10000];
    for (int i = 0; i < bytes; ) {
      int n = Math.min(part.length, bytes - i);
      for (int j = 0; j < n; j++, i++) part[j] = (byte) (i * 31 + (i >> 8));
      r.getOutputStream().write(part, 0, n);
    }
  }
  void session(HttpServletRequest q, HttpServletResponse r) throws IOException {
    HttpSession s = q.getSession();
    Integer count = (Integer) s.getAttribute("count");
    count = count == null ? 1 : count + 1;
    s.setAttribute("count", count);
    r.getOutputStream().print(System.getProperty("rollcall.node") + " " + count);
  }
  void endless(HttpServletResponse r) throws IOException {
    byte[] part = new byte[65536];
    try { for (;;) { r.getOutputStream().write(part); r.getOutputStream().flush(); } }
    catch (IOException e) { aborted.incrementAndGet(); throw e; }
  }
}
`;

const WEB_XML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
<servlet><servlet-name>pages</servlet-name><servlet-class>Pages</servlet-class></servlet>
<servlet-mapping><servlet-name>pages</servlet-name><url-pattern>/*</url-pattern></servlet-mapping></web-app>`;

/** How one Tomcat is started. */
export interface AjpTomcatOptions {
  readonly node: string;
  readonly secret: string;
  /** Default: a free one. */
  readonly port?: number;
  readonly packetBytes?: number;
}

export class AjpTomcat {
  readonly #base: string;
  readonly #options: AjpTomcatOptions;
  #process: ChildProcess | undefined;
  port = 0;

  /** `base`: an own directory, which stays. */
  constructor(base: string, options: AjpTomcatOptions) {
    this.#base = base;
    this.#options = options;
    const classes = join(base, 'webapps', 'ROOT', 'WEB-INF', 'classes');
    for (const folder of ['conf', 'logs', 'temp', 'work']) mkdirSync(join(base, folder), { recursive: true });
    mkdirSync(classes, { recursive: true });
    writeFileSync(join(base, 'conf', 'web.xml'), WEB_XML);
    writeFileSync(join(classes, 'Pages.java'), SERVLET);
    execFileSync('javac', ['-cp', SERVLET_API, join(classes, 'Pages.java')]);
  }

  /** Resolves when the connector listens. */
  async start(): Promise<void> {
    const { node, secret, packetBytes = 8_192 } = this.#options;
    const port = this.port || (this.#options.port ?? 0);
    writeFileSync(
      join(this.#base, 'conf', 'server.xml'),
      `<Server port="-1"><Service name="Catalina">
<Connector protocol="AJP/1.3" address="127.0.0.1" port="${port}" secret="${secret}" packetSize="${packetBytes}"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="${node}">
<Host name="localhost" appBase="webapps"/></Engine></Service></Server>`,
    );
    const child = spawn(`${HOME}/bin/catalina.sh`, ['run'], {
      env: {
        ...process.env,
        CATALINA_HOME: HOME,
        CATALINA_BASE: this.#base,
        CATALINA_OPTS: `-Drollcall.node=${node} -Xmx96m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC`,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let log = '';
    this.port = await new Promise<number>((resolve, reject) => {
      child.stderr.on('data', (octets: Buffer) => {
        log += octets.toString();
        const listening = /ajp-nio-127\.0\.0\.1-(?:auto-\d+-)?(\d+)"\]/.exec(log);
        if (/Server startup in/.test(log) && listening !== null) resolve(Number(listening[1]));
      });
      child.once('exit', () => reject(new Error(`Tomcat ended: ${log}`)));
    });
  }

  /** Ends it, without an orderly end for SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }
}
