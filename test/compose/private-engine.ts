/**
 * An engine for a machine that has Docker's programs but no running engine, or cannot pull images. A dockerd of root runs in a
 * temporary folder. The base images of the Dockerfile are made from packages of Debian and the npm package of Node. The folder
 * is kept, so that the images are made once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';

const FOLDER = join(tmpdir(), 'rollcall-engine');
const HOST = `unix://${join(FOLDER, 'docker.sock')}`;
const HOW =
  'needs a container engine: start Docker, or as root apt-get install docker.io docker-compose debootstrap iptables';
const START_MS = 30_000;
const LOOK_AGAIN_MS = 250;
const DEBIAN = 'debian:bookworm-slim';
const NODE = 'node:24-bookworm-slim';
const PYTHON = 'python:3-slim';
/** Tried in order: as engines usually run, then for a machine that has neither overlay file systems nor packet filters. */
const FLAGS = [[], ['--storage-driver=vfs', '--iptables=false', '--ip6tables=false']] as const;

/** An engine as it was found. */
export interface FoundEngine {
  readonly prefix?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly buildsOnHostNetwork?: boolean;
  readonly stop?: () => Promise<void>;
}

export class PrivateEngine {
  readonly #environment: NodeJS.ProcessEnv = { ...process.env, DOCKER_HOST: HOST };

  /** Starts an engine, or returns its requirements. */
  static async start(): Promise<FoundEngine | string> {
    if (process.getuid?.() !== 0) return HOW;
    for (const program of ['dockerd', 'docker', 'debootstrap'])
      if ((await run(['which', program], process.env)).code !== 0) return HOW;
    const engine = new PrivateEngine();
    const daemon = await engine.#startDaemon();
    const stop = () => endDaemon(daemon);
    try {
      await engine.#makeImages();
    } catch (error) {
      await stop();
      throw error;
    }
    return { environment: { DOCKER_HOST: HOST }, buildsOnHostNetwork: true, stop };
  }

  async #startDaemon(): Promise<ChildProcess> {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    const made = lstatSync(FOLDER);
    if (!made.isDirectory() || made.uid !== 0) throw new Error(`${FOLDER} belongs to another user: remove it`);
    const log = join(FOLDER, 'log');
    for (const flags of FLAGS) {
      rmSync(join(FOLDER, 'pid'), { force: true });
      const file = openSync(log, 'w');
      const daemon = spawn(
        'dockerd',
        [
          ...['--data-root', join(FOLDER, 'data'), '--exec-root', join(FOLDER, 'exec'), '--host', HOST],
          ...['--pidfile', join(FOLDER, 'pid'), ...flags],
        ],
        { stdio: ['ignore', file, file] },
      );
      const endMs = performance.now() + START_MS;
      while (daemon.exitCode === null && performance.now() < endMs) {
        if ((await run(['docker', 'info'], this.#environment)).code === 0) return daemon;
        await sleep(LOOK_AGAIN_MS);
      }
      await endDaemon(daemon);
    }
    throw new Error(`dockerd does not start:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
  }

  async #makeImages(): Promise<void> {
    if (!(await this.#has(DEBIAN))) await this.#makeDebian();
    if (!(await this.#has(NODE))) await this.#makeNode();
    if (!(await this.#has(PYTHON)))
      await this.#build(
        PYTHON,
        `FROM ${DEBIAN}\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 >/dev/null\nCMD ["python3"]\n`,
        join(FOLDER, 'python'),
      );
  }

  async #has(image: string): Promise<boolean> {
    return (await run(['docker', 'image', 'inspect', image], this.#environment)).code === 0;
  }

  async #makeDebian(): Promise<void> {
    const root = join(FOLDER, 'root');
    rmSync(root, { recursive: true, force: true });
    // The mirror that this machine itself uses.
    const { output } = await run(
      ['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Codename: bookworm'],
      process.env,
    );
    const [mirror] = output.trim().split('\n');
    await must([
      ...['debootstrap', '--variant=minbase', '--include=ca-certificates', 'bookworm', root],
      ...(mirror ? [mirror] : []),
    ]);
    // CA certificates of a proxy between this machine and its mirrors.
    for (const file of ['/etc/ssl/certs/ca-certificates.crt', '/etc/apt/apt.conf'])
      if (existsSync(file)) await must(['cp', file, join(root, file)]);
    await must(
      ['sh', '-c', `tar -C '${root}' -c . | docker import --change 'CMD ["bash"]' - ${DEBIAN}`],
      this.#environment,
    );
    rmSync(root, { recursive: true, force: true });
  }

  /** Node is npm's package of it; npm is this machine's. */
  async #makeNode(): Promise<void> {
    const folder = join(FOLDER, 'node');
    mkdirSync(folder, { recursive: true });
    await must(['npm', 'install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, 'node@24']);
    const node = (
      await must([process.execPath, '-p', `require.resolve('node/bin/node', { paths: ['${folder}'] })`])
    ).trim();
    const npm = dirname(dirname((await must(['sh', '-c', 'readlink -f "$(command -v npm)"'])).trim()));
    await must(['cp', '-L', node, join(folder, 'program')]);
    await must(['cp', '-RL', npm, join(folder, 'npm')]);
    await this.#build(
      NODE,
      `FROM ${DEBIAN}\nCOPY program /usr/local/bin/node\nCOPY npm /usr/local/lib/node_modules/npm\n` +
        'RUN chmod 755 /usr/local/bin/node && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\n' +
        'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\nCMD ["node"]\n',
      folder,
    );
  }

  async #build(image: string, dockerfile: string, folder: string): Promise<void> {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    await must(['docker', 'build', '--quiet', '--network', 'host', '--tag', image, folder], this.#environment);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function must(command: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { code, output, errors } = await run(command, environment);
  if (code !== 0) throw new Error(`${command.slice(0, 3).join(' ')} … ended with ${code}:\n${errors.slice(-2_000)}`);
  return output;
}

async function endDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  await ended;
}
