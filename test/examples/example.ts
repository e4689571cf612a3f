/** Runs an example of packages/examples as its README.md describes it, on a site of the test. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NodeResource } from '@rollcall/protocol';
import { commandsOf } from '../readme/commands.ts';
import { Site, type SiteOwner, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url));
const VISITORS = 12;
/** Rounds of requests of all visitors after the drain. */
const ROUNDS = 5;

/** The commands in the `sh` blocks of an example's README.md, without `npx`, in their order. */
export function readmeCommands(example: string): readonly string[] {
  const page = readFileSync(join(ROOT, 'packages/examples', example, 'README.md'), 'utf8');
  return commandsOf(page).map(({ text }) => text.replace(/^npx /, ''));
}

/** What an example answers: the node, and how often it has seen this visitor. */
interface Seen {
  readonly node: string;
  readonly count: number;
}

/**
 * Starts the commands that follow `rollcall up`, waits for two nodes, and places sessions. One node drains under requests
 * of all visitors: each session stays, new sessions use the other node, and every request is answered with 200.
 */
export async function prove(owner: SiteOwner, example: string): Promise<void> {
  const [first = '', ...commands] = readmeCommands(example);
  assert.match(first, /^rollcall up\b/);
  assert.ok(commands.length > 0, `${example} has no command that starts a node`);
  const site = await Site.start(owner, { flags: first.split(/\s+/).slice(2) });
  for (const command of commands) startCommand(site, command);
  const nodes = await twoNodes(site);

  const visitors = Array.from({ length: VISITORS }, () => new Visitor(site.proxyPort));
  const homes = new Map<Visitor, string>();
  for (const visitor of visitors) {
    const { node, count } = await visit(visitor);
    assert.equal(count, 1);
    homes.set(visitor, node);
  }
  assert.deepEqual([...new Set(homes.values())].sort(), nodes, 'both nodes have sessions');

  const [drained = '', other] = nodes;
  const stays = async (visitor: Visitor, count: number): Promise<void> =>
    assert.deepEqual(await visit(visitor), { node: homes.get(visitor), count }, 'the session stays on its node');
  const [drain] = await Promise.all([
    site.cli('drain', drained),
    ...visitors.map(async (visitor) => {
      for (let round = 0; round < ROUNDS; round++) await stays(visitor, 2 + round);
    }),
  ]);
  assert.equal(drain.code, 0, drain.stderr);
  await site.isCurrent();
  for (const visitor of visitors) await stays(visitor, 2 + ROUNDS);
  for (let i = 0; i < VISITORS; i++)
    assert.deepEqual(await visit(new Visitor(site.proxyPort)), { node: other, count: 1 });
}

/** Starts a command of a README.md at the top of the clone, as a shell does there. */
export function startCommand(
  site: Site,
  command: string,
  environment: Readonly<Record<string, string>> = {},
): ReturnType<Site['startShell']> {
  const bin = join(ROOT, 'node_modules', '.bin');
  const child = site.startShell(command, ROOT, {
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    XDG_STATE_HOME: join(site.directory, 'home'),
    ...environment,
  });
  // The output is read, so that no program waits for its pipe.
  for (const stream of [child.stdout, child.stderr]) stream?.resume();
  return child;
}

/** Ids of the two nodes when both are up and every worker knows them, sorted. */
export async function twoNodes(site: Site): Promise<readonly string[]> {
  let ids: readonly string[] = [];
  await until(async () => {
    const { body } = await site.admin<{ readonly nodes: readonly NodeResource[] }>('GET', '/v1/nodes');
    ids = body.nodes
      .filter(({ liveness }) => liveness === 'up')
      .map(({ id }) => id)
      .sort();
    return ids.length === 2;
  }, 'two nodes are not up');
  await site.isCurrent();
  return ids;
}

async function visit(visitor: Visitor): Promise<Seen> {
  const { status, body } = await visitor.get('/');
  assert.equal(status, 200, body);
  const [, node = '', count] = /^(\S+) has seen you (\d+) times\n$/.exec(body) ?? [];
  assert.notEqual(node, '', `not the answer of the program: ${body}`);
  return { node, count: Number(count) };
}

/** False when Python has Flask; otherwise how to install it. */
export function noFlask(): string | false {
  try {
    execFileSync('python3', ['-c', 'import flask'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'apt-get install python3-flask';
  }
}
