/** Rollcall as users start it: `rollcall up`, compiled, with one worker and default settings. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodePut, StatusResource } from '@rollcall/protocol';
import { BenchError } from '../bench-error.ts';
import { freePorts } from '../system/free-ports.ts';
import { outputOf } from '../system/programs.ts';
import type { Running } from '../system/workplace.ts';
import type { Contender, Front, StartRequest } from './contender.ts';

const READY_MS = 20_000;
/** Concurrent PUT requests when many nodes are added. */
const PUTS_AT_ONCE = 16;

export interface RollcallOptions {
  readonly name: string;
  /** Path of the compiled clone. */
  readonly root: string;
  /** Path of the Node that runs it. */
  readonly node: string;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A running `rollcall up`. */
export interface Up {
  readonly running: Running;
  readonly admin: AdminCalls;
  /** Process id of the proxy worker; `undefined` if that version does not report it. */
  readonly workerPid: number | undefined;
}

/** Rollcall as a contender. */
export function rollcall(options: RollcallOptions): Contender {
  return {
    name: options.name,
    remedy: 'run `npm start` once, which compiles it',
    version: () => /^\S+/m.exec(outputOf(options.node, [commandOf(options.root), '--version']))?.[0],
    can: (front) => missingFlag(options, front) === undefined,
    start: async (request) => (await startUp(options, request)).running,
  };
}

/** The flag for `front` that this version lacks; `undefined` if it has all. */
export function missingFlag(options: RollcallOptions, front: Front): string | undefined {
  const wanted = [
    ...(front.isTls ? ['--tls', '--tls-cert', '--tls-key'] : []),
    ...(front.logsAccess ? ['--access-log'] : []),
  ];
  return wanted.find((flag) => !hasFlag(options, flag));
}

/** Whether `up` of this version has the flag. */
export function hasFlag({ node, root }: RollcallOptions, flag: string): boolean {
  const help = outputOf(node, [commandOf(root), 'up', '--help']);
  return new RegExp(`^\\s+${flag}(?=[ ,])`, 'm').test(help);
}

/** Starts it and adds the nodes. Resolves when every worker uses them. */
export async function startUp(options: RollcallOptions, request: StartRequest): Promise<Up> {
  const { workplace, directory, port, nodes, cpus, front, certificate } = request;
  const [controlPort, plainPort] = (await freePorts(2)) as [number, number];
  const stateDir = join(directory, 'state');
  const words = ['--control', `127.0.0.1:${controlPort}`, '--state-dir', stateDir, '--log-level', 'warn', '--json'];
  words.push('--proxy', `127.0.0.1:${front.isTls ? plainPort : port}`);
  if (front.isTls)
    words.push('--tls', `127.0.0.1:${port}`, '--tls-cert', certificate!.certFile, '--tls-key', certificate!.keyFile);
  if (front.logsAccess) words.push('--access-log', join(directory, 'access.log'));
  const running = await workplace.start(
    options.name,
    [options.node, commandOf(options.root), 'up', ...words, ...(options.flags ?? [])],
    { cpus, directory, environment: { NODE_ENV: 'production', ...options.environment } },
  );
  try {
    const admin = new AdminCalls(`http://127.0.0.1:${controlPort}`, join(stateDir, 'admin-token'));
    await workplace.until(() => admin.isReady(), running, 'the control port does not answer', READY_MS);
    await putNodes(admin, nodes, 0, nodes.length);
    let status: StatusResource | undefined;
    const isCurrent = async (): Promise<boolean> => {
      status = await admin.call<StatusResource>('GET', '/v1/status');
      return status.workers.length > 0 && status.workers.every((worker) => worker.isCurrent);
    };
    await workplace.until(isCurrent, running, 'the worker does not follow the coordinator', READY_MS);
    return { running, admin, workerPid: status?.workers[0]?.pid };
  } catch (error) {
    // The caller has no handle of this process yet, so it must be ended here.
    await workplace.end(running);
    throw error;
  }
}

/** Adds the nodes number `from` to `to`, alternately at the two addresses. */
export async function putNodes(admin: AdminCalls, nodes: readonly number[], from: number, to: number): Promise<void> {
  let next = from;
  const put = async (): Promise<void> => {
    while (next < to) {
      const number = next++;
      const body: NodePut = {
        balancer: 'site',
        url: `http://127.0.0.1:${nodes[number % nodes.length]}`,
        route: `n${number + 1}`,
      };
      await admin.call('PUT', `/v1/nodes/n${number + 1}`, body);
    }
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, put));
}

/** Client of the admin API with the token in the state directory. */
export class AdminCalls {
  /** URL of the control port. */
  readonly url: string;
  readonly #tokenFile: string;

  constructor(url: string, tokenFile: string) {
    this.url = url;
    this.#tokenFile = tokenFile;
  }

  token(): string {
    return readFileSync(this.#tokenFile, 'utf8').trim();
  }

  /** Whether the control port answers. False for another program at the port, because it has no token here. */
  async isReady(): Promise<boolean> {
    if (!existsSync(this.#tokenFile)) return false;
    const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok === true;
  }

  /** The response of a page with any status. */
  async text(path: string): Promise<string> {
    const answer = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.token()}` } });
    return answer.text();
  }

  /** The body of the response. Rejects with the message of the coordinator for an error status. */
  async call<Body>(method: string, path: string, body?: object): Promise<Body> {
    const token = this.token();
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new BenchError(
        `${method} ${path} got no answer: ${(error.cause as Error | undefined)?.message ?? error.message}`,
      );
    });
    const reported = (await answer.json()) as Body & { readonly detail?: string };
    if (!answer.ok) throw new BenchError(`${method} ${path} was answered with ${answer.status}: ${reported.detail}`);
    return reported;
  }
}

function commandOf(root: string): string {
  return join(root, 'packages', 'cli', 'bin', 'rollcall.js');
}
