/** A cluster made of real processes: `rollcall up`, programs through `rollcall run` and through the SDK, one client. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@rollcall/core/testing';
import { TYPESCRIPT } from '../site/commands.ts';
import { ServletTomcat } from '../site/servlet-tomcat.ts';
import { nowMs } from './instant.ts';
import type { Life } from './judge.ts';
import { type NodeLine, readNodeLines } from './ledger.ts';
import type { SiteName } from './schedule.ts';

/** The checkout whose CLI and SDK are under test, compiled. Default: the one that this file is in. */
const ROOT = process.env['ROLLCALL_UNDER_TEST'] ?? fileURLToPath(new URL('../../', import.meta.url));
const ROLLCALL = join(ROOT, 'packages/cli/bin/rollcall.js');
/** Programs with the SDK: they load the SDK of their own checkout. */
const SDK_PROGRAMS = join(ROOT, 'test/live-cluster/programs');
/** Programs without the SDK. */
const PROGRAMS = fileURLToPath(new URL('./programs/', import.meta.url));

/** A node that the test has started. */
export interface Program {
  readonly id: string;
  readonly site: SiteName;
  /** The program's own process; of the wrapper where the test does not see the program's. */
  readonly child: ChildProcess;
  /** Its current life for the judge; set when it is up. */
  life: Life;
  /** Its port, if the program reports one. */
  port: number;
  /** `kill -9` of the program. Resolves when it has ended. */
  readonly kill: () => Promise<void>;
}

export class LiveCluster {
  readonly dir: string;
  readonly #stateDir: string;
  readonly #extraUpFlags: readonly string[];
  readonly #ports: { readonly proxy: number; readonly control: number };
  #up: ChildProcess | undefined;
  readonly #children = new Set<ChildProcess>();
  /** By node id. */
  readonly #tomcats = new Map<string, ServletTomcat>();
  readonly lives: Life[] = [];

  private constructor(dir: string, ports: { proxy: number; control: number }, upFlags: readonly string[]) {
    this.dir = dir;
    this.#ports = ports;
    this.#stateDir = join(dir, 'state');
    this.#extraUpFlags = upFlags;
  }

  static async start(upFlags: readonly string[] = []): Promise<LiveCluster> {
    const [proxy, control] = await freePorts(2);
    const dir = mkdtempSync(join(tmpdir(), 'rollcall-live-'));
    const cluster = new LiveCluster(dir, { proxy: proxy!, control: control! }, upFlags);
    mkdirSync(join(cluster.dir, 'www'));
    await cluster.startUp();
    return cluster;
  }

  get proxyPort(): number {
    return this.#ports.proxy;
  }

  get controlUrl(): string {
    return `http://127.0.0.1:${this.#ports.control}`;
  }

  /** Starts `rollcall up`, also again after everything of it was killed. Resolves when it serves. */
  async startUp(): Promise<void> {
    const child = this.#spawn(
      [
        ROLLCALL,
        'up',
        '--proxy',
        `127.0.0.1:${this.#ports.proxy}`,
        '--control',
        `127.0.0.1:${this.#ports.control}`,
        '--state-dir',
        this.#stateDir,
        '--log-level',
        'warn',
        '--json',
        ...this.#extraUpFlags,
      ],
      {},
      'up.log',
    );
    this.#up = child;
    await firstLine(child, (line) => line['type'] === 'ready');
  }

  /** `kill -9` of the control process; the supervisor starts another. */
  async killControl(): Promise<void> {
    process.kill(this.#controlPid(), 'SIGKILL');
    await this.#untilControlAnswers();
  }

  /** Stops the control process with SIGSTOP. The supervisor replaces it after 10 s. */
  freezeControl(): void {
    process.kill(this.#controlPid(), 'SIGSTOP');
  }

  #controlPid(): number {
    const isControl = (pid: number): boolean => readText(`/proc/${pid}/cmdline`).includes('/processes/control.');
    return descendants(this.#up!.pid!).find(isControl)!;
  }

  /** `kill -9` of the worker that follows the feed right now. */
  async killWorker(): Promise<void> {
    const response = await fetch(`${this.controlUrl}/v1/status`);
    const { workers } = (await response.json()) as { workers: readonly { pid: number }[] };
    process.kill(workers[0]!.pid, 'SIGKILL');
  }

  /** SIGTERM to `up`; its exit code, and which of its processes are still there afterwards. */
  async endUp(): Promise<{ readonly code: number | null; readonly left: readonly number[] }> {
    const up = this.#up!;
    const pids = descendants(up.pid!);
    const exited = new Promise<number | null>((resolve) => up.once('exit', resolve));
    up.kill('SIGTERM');
    return { code: await exited, left: pids.filter(isAlive) };
  }

  /** `kill -9` of `up` alone; resolves when its children have ended. */
  async killSupervisorAlone(): Promise<void> {
    const pids = descendants(this.#up!.pid!);
    kill(this.#up!.pid!);
    while (pids.some(isAlive)) await sleep(20);
  }

  /** The cluster snapshot of the worker; `''` if there is none yet. */
  savedSnapshot(): string {
    return readText(join(this.#stateDir, 'snapshot-local-0.json'));
  }

  get stateDir(): string {
    return this.#stateDir;
  }

  /** `kill -9` of everything that `up` has started, and of itself. */
  async killUp(): Promise<void> {
    const up = this.#up!;
    const pids = descendants(up.pid!);
    const exited = new Promise((resolve) => up.once('exit', resolve));
    for (const pid of [up.pid!, ...pids]) kill(pid);
    await exited;
    while (pids.some(isAlive)) await sleep(5);
  }

  async #untilControlAnswers(): Promise<void> {
    for (;;) {
      try {
        const response = await fetch(`${this.controlUrl}/readyz`, { signal: AbortSignal.timeout(500) });
        if (response.ok) return;
      } catch {
        // Not there yet.
      }
      await sleep(50);
    }
  }

  /** Starts a node of one of our stateful programs through the SDK. */
  async startSdk(site: 'express' | 'fastify', id: string): Promise<Program> {
    const child = this.#spawn(
      [...TYPESCRIPT, join(SDK_PROGRAMS, `${site}-counter.ts`)],
      { NODE_ID: id, NODE_LEDGER: this.ledgerFile(id) },
      `${id}.log`,
    );
    const { listening } = (await firstLine(child, (line) => 'listening' in line)) as {
      listening: { instance: string; port: number };
    };
    return this.#program(id, site, child, listening.instance, listening.port);
  }

  /** Starts the program without cookies, through the wrapper. */
  async startUrls(id: string): Promise<Program> {
    const command = [process.execPath, ...TYPESCRIPT, join(PROGRAMS, 'url-counter.ts')];
    const child = this.#wrap('urls', id, ['--sticky', 'suffix', '--session-cookie', 'none'], command, {
      NODE_LEDGER: this.ledgerFile(id),
    });
    const { listening } = (await firstLine(child, (line) => 'listening' in line)) as {
      listening: { instance: string; port: number };
    };
    return this.#program(id, 'urls', child, listening.instance, listening.port);
  }

  /** Starts `count` copies of a program without the SDK through one wrapper. Their node ids are `ID-1` to `ID-COUNT`. */
  async startCopies(site: 'bounds', id: string, count: number): Promise<readonly Program[]> {
    const command = [process.execPath, ...TYPESCRIPT, join(PROGRAMS, `${site}-counter.ts`)];
    const child = this.#wrap(site, id, ['--count', `${count}`], command, { NODE_LEDGER: this.ledgerFile(id) });
    const lines = (await firstLines(child, count, (line) => 'listening' in line)) as {
      listening: { instance: string; port: number };
    }[];
    return Promise.all(
      lines.map(({ listening: { instance, port } }) =>
        this.#program(instance.split('#')[0]!, site, child, instance, port),
      ),
    );
  }

  /** Starts Python's http.server, unmodified, through the wrapper. */
  startFiles(id: string): Promise<Program> {
    const child = this.#wrap(
      'files',
      id,
      [],
      ['python3', '-m', 'http.server', '{port}', '--bind', '127.0.0.1', '--directory', join(this.dir, 'www')],
      {},
    );
    return this.#program(id, 'files', child, id, 0);
  }

  /** Starts Tomcat with its example application, unmodified, through the wrapper. `tomcat` is its home. */
  startGuess(id: string, tomcat: { readonly home: string; readonly examples: string }): Promise<Program> {
    const base = join(this.dir, id);
    for (const folder of ['conf', 'logs', 'temp', 'webapps', 'work'])
      mkdirSync(join(base, folder), { recursive: true });
    writeFileSync(join(base, 'conf', 'web.xml'), WEB_XML);
    writeFileSync(join(base, 'conf', 'server.xml'), serverXml(tomcat.examples));
    const child = this.#wrap(
      'guess',
      id,
      ['--context', '/examples', '--ready', '/examples/jsp/num/numguess.jsp', '--ready-timeout', '60s'],
      [join(tomcat.home, 'bin', 'catalina.sh'), 'run'],
      {
        CATALINA_BASE: base,
        CATALINA_HOME: tomcat.home,
        CATALINA_OPTS: '-Drollcall.port={port} -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
      },
    );
    return this.#program(id, 'guess', child, id, 0);
  }

  /** Starts Tomcat with an AJP connector, and `rollcall join` for it. */
  async startServlet(id: string): Promise<Program> {
    const tomcat = new ServletTomcat(join(this.dir, id), { node: id, ajp: {}, ledger: this.ledgerFile(id) });
    this.#tomcats.set(id, tomcat);
    await tomcat.start();
    const about = ['--balancer', 'servlet', '--host', 'servlet.test', '--stickysession', 'JSESSIONID|jsessionid'];
    const words = ['join', `ajp://127.0.0.1:${tomcat.port}`, '--id', id, ...about];
    return this.#servlet(id, this.#spawn([ROLLCALL, ...words], {}, `${id}.log`));
  }

  /** Starts the Tomcat of a killed node again. Its `rollcall join` is still there. */
  async restartServlet({ id, child }: Program): Promise<Program> {
    await this.#tomcats.get(id)!.start();
    return this.#servlet(id, child);
  }

  /** Ends `rollcall join` of a Tomcat, and the Tomcat when it has no request any more. */
  async terminateServlet(program: Program): Promise<void> {
    await this.terminate(program);
    const isBusy = (): boolean =>
      [...this.unfinished().values()].some(({ instance }) => instance === program.life.instance);
    while (isBusy()) await sleep(20);
    await this.#tomcats.get(program.id)!.stop();
  }

  #servlet(id: string, child: ChildProcess): Promise<Program> {
    const tomcat = this.#tomcats.get(id)!;
    const kill = (): Promise<void> => tomcat.stop('SIGKILL');
    return this.#program(id, 'servlet', child, `${id}#${tomcat.pid}`, tomcat.port, kill);
  }

  #wrap(
    site: SiteName,
    id: string,
    flags: readonly string[],
    command: readonly string[],
    environment: NodeJS.ProcessEnv,
  ): ChildProcess {
    // CATALINA_OPTS has the port in a variable, which only a shell can put there.
    const wrapped =
      site === 'guess'
        ? [
            'sh',
            '-c',
            `CATALINA_OPTS="-Drollcall.port=$PORT ${(environment['CATALINA_OPTS'] ?? '').replace('-Drollcall.port={port} ', '')}" exec ${command.join(' ')}`,
          ]
        : command;
    return this.#spawn(
      [ROLLCALL, 'run', '--balancer', site, '--host', `${site}.test`, '--id', id, ...flags, '--', ...wrapped],
      environment,
      `${id}.log`,
    );
  }

  async #program(
    id: string,
    site: SiteName,
    child: ChildProcess,
    instance: string,
    port: number,
    kill = () => ended(child, 'SIGKILL'),
  ): Promise<Program> {
    const upMs = await this.untilUp(id);
    const life: Life = {
      instance,
      node: id,
      site,
      upMs,
      endMs: Number.POSITIVE_INFINITY,
      deadMs: Number.POSITIVE_INFINITY,
      end: 'none',
    };
    this.lives.push(life);
    return { id, site, child, life, port, kill };
  }

  /** Waits until the coordinator reports the node as up; resolves with that instant. */
  async untilUp(id: string): Promise<number> {
    const endMs = nowMs() + 60_000;
    while (nowMs() < endMs) {
      try {
        const response = await fetch(`${this.controlUrl}/v1/nodes/${id}`, { signal: AbortSignal.timeout(1_000) });
        if (response.ok && ((await response.json()) as { liveness: string }).liveness === 'up') return nowMs();
      } catch {
        // The coordinator is on its way back.
      }
      await sleep(20);
    }
    throw new Error(`${id} did not come up`);
  }

  /** SIGTERM to the process the test has started; resolves when it has ended. */
  async terminate(program: Program): Promise<void> {
    program.life.endMs = nowMs();
    program.life.end = 'terminated';
    await ended(program.child, 'SIGTERM');
  }

  /** `kill -9` of a program that the test sees. The instant is taken right before. */
  async kill(program: Program): Promise<void> {
    program.life.endMs = nowMs();
    program.life.end = 'killed';
    await program.kill();
    program.life.deadMs = nowMs();
  }

  /** Runs a command of the CLI against this cluster. */
  cli(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return this.bareCli(...args, '--coordinator', this.controlUrl, '--state-dir', this.#stateDir);
  }

  /** Runs a command of the CLI as it is given. */
  bareCli(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, [ROLLCALL, ...args], (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
      );
    });
  }

  ledgerFile(id: string): string {
    return join(this.dir, `${id}.ledger`);
  }

  /** Requests that some node took up and did not end, by id. */
  unfinished(): Map<string, { instance: string; hasHead: boolean }> {
    const open = new Map<string, { instance: string; hasHead: boolean }>();
    for (const file of readdirSync(this.dir).filter((name) => name.endsWith('.ledger'))) {
      const own = new Map<string, NodeLine[]>();
      for (const line of readNodeLines(join(this.dir, file))) {
        const key = `${line.instance} ${line.id}`;
        const lines = own.get(key) ?? [];
        lines.push(line);
        own.set(key, lines);
      }
      for (const lines of own.values()) {
        const [first] = lines;
        if (first && first.id !== '' && !lines.some(({ event }) => event === 'end'))
          open.set(first.id, { instance: first.instance, hasHead: lines.some(({ event }) => event === 'head') });
      }
    }
    return open;
  }

  /** Starts a script of this folder with a channel to it. */
  script(name: string, argument: object): ChildProcess {
    const child = spawn(
      process.execPath,
      [...TYPESCRIPT, fileURLToPath(new URL(name, import.meta.url)), JSON.stringify(argument)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    this.#children.add(child);
    return child;
  }

  #spawn(args: readonly string[], environment: NodeJS.ProcessEnv, log: string): ChildProcess {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ROLLCALL_URL: this.controlUrl, XDG_STATE_HOME: this.dir, ...environment },
    });
    this.#children.add(child);
    const lines: string[] = [];
    const keep = (chunk: Buffer): void => {
      lines.push(String(chunk));
      if (lines.length > 400) lines.shift();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('exit', () => {
      this.#children.delete(child);
      writeFileSync(join(this.dir, log), lines.join(''), { flag: 'a' });
    });
    return child;
  }

  /** Ends everything: in order first, by force after a while. */
  async close(): Promise<void> {
    const children = [...this.#children];
    const exits = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    const trees = children.flatMap((child) => [child.pid!, ...descendants(child.pid!)]);
    for (const child of children) if (child !== this.#up) child.kill('SIGTERM');
    await Promise.race([Promise.all(exits.filter((_, i) => children[i] !== this.#up)), sleep(6_000)]);
    this.#up?.kill('SIGTERM');
    await Promise.race([Promise.all(exits), sleep(4_000)]);
    for (const pid of trees) kill(pid);
    await Promise.all([...this.#tomcats.values()].map((tomcat) => tomcat.stop('SIGKILL')));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Signals a child. Resolves when it has ended. */
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}

/** Resolves with the first JSON line on stdout that `isWanted`; rejects when the process ends before. */
async function firstLine(
  child: ChildProcess,
  isWanted: (line: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  return (await firstLines(child, 1, isWanted))[0]!;
}

/** Resolves with the first `count` JSON lines on stdout that `isWanted`, in their order; rejects as `firstLine` does. */
function firstLines(
  child: ChildProcess,
  count: number,
  isWanted: (line: Record<string, unknown>) => boolean,
): Promise<readonly Record<string, unknown>[]> {
  const wanted: Record<string, unknown>[] = [];
  return new Promise((resolve, reject) => {
    let text = '';
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = `${errors}${chunk}`.slice(-2_000);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready: ${errors}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        if (!line.startsWith('{')) continue;
        const parsed = JSON.parse(line) as Record<string, unknown>;
        if (isWanted(parsed)) wanted.push(parsed);
        if (wanted.length === count) resolve(wanted);
      }
    });
  });
}

/** All processes below `pid`. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      for (const child of readText(`/proc/${pid}/task/${thread}/children`).trim().split(' '))
        if (child !== '') found.push(Number(child), ...descendants(Number(child)));
    }
  } catch {
    // It has ended: it has no children.
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function isAlive(pid: number): boolean {
  return readText(`/proc/${pid}/stat`).split(') ')[1]?.startsWith('Z') === false;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function serverXml(examples: string): string {
  return `<?xml version="1.0"?>
<Server port="-1"><Service name="Catalina">
<Connector port="\${rollcall.port}" address="127.0.0.1" protocol="HTTP/1.1" maxThreads="40" minSpareThreads="2"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" autoDeploy="false" deployOnStartup="false">
<Context path="/examples" docBase="${examples}"/></Host></Engine></Service></Server>
`;
}

/** The two servlets of Tomcat's stock web.xml that the examples need. */
const WEB_XML = `<?xml version="1.0"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>default</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
<servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
</web-app>
`;
