/** Debian's Tomcat, unmodified, with one servlet of our own: over HTTP, or over AJP with a secret. Ends with the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HOME = '/usr/share/tomcat10';
const SERVLET_API = '/usr/share/java/tomcat10-servlet-api.jar';
const PAGES = fileURLToPath(new URL('programs/Pages.java', import.meta.url));

/** False when Tomcat and a compiler are there; otherwise how to install them. */
export const noServletTomcat: string | false =
  existsSync(join(HOME, 'bin', 'catalina.sh')) && existsSync('/usr/bin/javac') && existsSync(SERVLET_API)
    ? false
    : 'apt-get install tomcat10-common default-jdk-headless';

/** Octet `i` of a large answer, and of a large upload. */
export function octetsOf(bytes: number): Buffer {
  const octets = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) octets[i] = (i * 31 + (i >> 8)) & 255;
  return octets;
}

const WEB_XML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0" metadata-complete="true">
<servlet><servlet-name>pages</servlet-name><servlet-class>Pages</servlet-class><load-on-startup>1</load-on-startup></servlet>
<servlet-mapping><servlet-name>pages</servlet-name><url-pattern>/*</url-pattern></servlet-mapping></web-app>`;

/** Without a scan of all libraries a start takes a part of the CPU. */
const CONTEXT_XML = `<Context><JarScanner scanManifest="false" scanClassPath="false"/></Context>`;

/** How one Tomcat is started. */
export interface ServletTomcatOptions {
  /** Its name in answers, and its jvmRoute. */
  readonly node: string;
  /** Default: HTTP. Without a secret the connector requires none. */
  readonly ajp?: { readonly secret?: string; readonly packetBytes?: number };
  /** Names of the deployed applications. Default: ROOT, whose context is `/`. */
  readonly applications?: readonly string[];
  /** Default: a free one. */
  readonly port?: number;
  /** File of the requests to `/visit`. Default: none. */
  readonly ledger?: string;
}

export class ServletTomcat {
  readonly #base: string;
  readonly #options: ServletTomcatOptions;
  #process: ChildProcess | undefined;
  #log = '';
  #onLog: () => void = () => {};
  port = 0;

  /** `base`: an own directory, which stays. */
  constructor(base: string, options: ServletTomcatOptions) {
    this.#base = base;
    this.#options = options;
    const classes = join(base, 'application', 'WEB-INF', 'classes');
    for (const folder of ['conf', 'logs', 'temp', 'webapps', 'work'])
      mkdirSync(join(base, folder), { recursive: true });
    mkdirSync(classes, { recursive: true });
    writeFileSync(join(base, 'conf', 'web.xml'), WEB_XML);
    writeFileSync(join(base, 'conf', 'context.xml'), CONTEXT_XML);
    execFileSync('javac', ['-cp', SERVLET_API, '-d', classes, PAGES]);
    for (const name of options.applications ?? ['ROOT']) this.#copy(name);
  }

  /** Process id of the running Tomcat. */
  get pid(): number {
    return this.#process!.pid!;
  }

  /** Resolves when the connector listens. */
  async start(): Promise<void> {
    const { node, ajp, ledger } = this.#options;
    const port = this.port || (this.#options.port ?? 0);
    const secret = ajp?.secret === undefined ? 'secretRequired="false"' : `secret="${ajp.secret}"`;
    const protocol =
      ajp === undefined
        ? 'protocol="HTTP/1.1"'
        : `protocol="AJP/1.3" packetSize="${ajp.packetBytes ?? 8_192}" ${secret}`;
    writeFileSync(
      join(this.#base, 'conf', 'server.xml'),
      `<Server port="-1"><Service name="Catalina">
<Connector ${protocol} address="127.0.0.1" port="${port}"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="${node}" backgroundProcessorDelay="1">
<Host name="localhost" appBase="webapps"/></Engine></Service></Server>`,
    );
    const child = spawn(`${HOME}/bin/catalina.sh`, ['run'], {
      env: {
        ...process.env,
        ...(ledger !== undefined && { NODE_LEDGER: ledger }),
        CATALINA_HOME: HOME,
        CATALINA_BASE: this.#base,
        CATALINA_OPTS: `-Drollcall.node=${node} -Xmx96m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC`,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    this.#log = '';
    child.stderr.on('data', (octets: Buffer) => {
      this.#log += octets.toString();
      this.#onLog();
    });
    child.once('exit', () => this.#onLog());
    await this.#logged(/Server startup in/);
    this.port = Number(/(?:ajp|http)-nio-127\.0\.0\.1-(?:auto-\d+-)?(\d+)"\]/.exec(this.#log)![1]);
  }

  /** Removes an application. Resolves when Tomcat has stopped and undeployed it. */
  async undeploy(name: string): Promise<void> {
    this.#log = '';
    rmSync(join(this.#base, 'webapps', name), { recursive: true });
    await this.#logged(new RegExp(`Undeploying context \\[/${name}\\]`));
  }

  /** Adds an application. Resolves when Tomcat serves it. */
  async deploy(name: string): Promise<void> {
    this.#log = '';
    this.#copy(name);
    await this.#logged(new RegExp(`Deployment of web application directory \\[.*/${name}\\] has finished`));
  }

  /** Ends it, without an orderly end for SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined || hasEnded(child)) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  #copy(name: string): void {
    cpSync(join(this.#base, 'application'), join(this.#base, 'webapps', name), { recursive: true });
  }

  /** Resolves when the log has the text; rejects if the process ends before. */
  #logged(text: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onLog = () => {
        if (text.test(this.#log)) resolve();
        else if (hasEnded(this.#process!)) reject(new Error(`Tomcat ended: ${this.#log}`));
      };
      this.#onLog();
    });
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
