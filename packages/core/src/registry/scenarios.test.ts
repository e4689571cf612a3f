/**
 * Replays scenarios/*.txt. A block is commands, a line `----`, and their output; `UPDATE=1` rewrites the output.
 * Commit only a difference you understand.
 *
 * Commands, one per line (`;` separates too). A command of a node uses the connection of its last accepted `register`, or the
 * one given by `conn=`. Durations are `250ms`, `3s`, `5m`, `24h`.
 *
 * - First block only: `options KEY=VALUE…`.
 * - Registration: `register ID [balancer= url= route= contexts=/a,/b@h+i hosts=h,i weight= group= inc= ahead= inst= conn= owner= kind=
 *   lease= sticky=MODE replace=yes shadow=yes standing=tokenless|operator]`. `/b@h+i`: hosts of its own. `ahead=1h`: the start is an hour ahead of the clock of
 *   the coordinator. `inc=none`: no start time.
 * - Nodes: `reachable ID [no=WHY probe=KIND other=yes]`, `beat ID [seq= load= sessions= ready=no why=]`, `leave ID`, `disconnect ID`.
 *   `status ID STATUS [contexts= deadline= reason=]`; `contexts=/a@h`: on this host only.
 * - Operators: `remove ID`, `patch ID [weight= standby= redirect=]`, where `-` removes a value.
 *   `operator STATUS node:ID|balancer:B|group:G [deadline= for= reason=]`. `operator STATUS node:ID contexts=/a,/b`.
 *   `settings B SOURCE [mode= algorithm= retries= failover= cookies=a,b]`. `forget [path=] [host=]`.
 * - Workers: `worker-joined W [pid=]`, `worker-left W [over=yes]`, `ports W ID:PORT…`.
 *   `observe W [rev=] [ID:inFlight=N,tunnels=N,parked=N,sessions=N]…`.
 * - Time: `advance 10s [beating=n1,n2]` ticks every 250 ms, with heartbeats every second. `tick-after 10s` is one late tick. `pass 10s`
 *   has no tick. `stalled 10s`, `held 10s`. `restart [after=1h]` makes a new registry from the records of the store.
 * - Output: `nodes`, `feed`, `snapshot`, `progress ID`, `show ID FIELD`, `balancer B`, `records`, `counts`, `quotas`, `contexts`,
 *   `unserved`.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { contextsOf, type FeedChange, type NodeCounters, type ProbeKind } from '@rollcall/feed';
import type { BalancerPatch, ContextEntry, NodeId, PortReport, StickyMode } from '@rollcall/protocol';
import {
  parseBalancerName,
  parseContextPath,
  parseDuration,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import type { StoredRecord } from '../store/store.ts';
import type { Command, QuotaStanding, Target } from './commands.ts';
import type { Event, Rejection } from './events.ts';
import type { NodeKind } from './node/node-record.ts';
import { effectiveStatus } from './node/node-record.ts';
import type { RegistryOptions } from './options.ts';
import { Registry } from './registry.ts';

const FOLDER = new URL('./scenarios/', import.meta.url);
const NOW_UNIX_MS = 1_800_000_000_000;

for (const file of readdirSync(FOLDER).sort()) {
  void test(`scenario ${file.replace('.txt', '').replaceAll('-', ' ')}`, () => {
    const url = new URL(file, FOLDER);
    const text = readFileSync(url, 'utf8');
    const replayed = replay(text);
    if (process.env['UPDATE']) writeFileSync(url, replayed);
    else assert.equal(replayed, text);
  });
}

void test('there are scenarios', () => {
  assert.ok(readdirSync(FOLDER).length >= 10);
});

function replay(text: string): string {
  const scenario = new Scenario();
  const blocks = text.split(/\n\n+/).filter((block) => block.trim() !== '');
  const written = blocks.map((block) => {
    const lines = block.split('\n');
    const end = lines.indexOf('----');
    const commands = (end === -1 ? lines : lines.slice(0, end)).filter((line) => line !== '');
    if (commands.every((line) => line.startsWith('#'))) return commands.join('\n');
    const printed: string[] = [];
    for (const line of commands)
      if (!line.startsWith('#')) for (const command of line.split(/\s*;\s*/)) printed.push(...scenario.run(command));
    return [...commands, '----', ...printed].join('\n');
  });
  return `${written.join('\n\n')}\n`;
}

class Scenario {
  #options: Partial<RegistryOptions> = {};
  #registry = new Registry({ startedAtMs: 0, learningMs: 10_000 });
  #nowMs = 0;
  #lastConnection = 0;
  readonly #connections = new Map<string, number>();
  readonly #stored = new Map<string, StoredRecord>();

  run(line: string): string[] {
    const [verb = '', ...words] = line.split(/\s+/);
    const plain = words.filter((word) => !word.includes('='));
    const named = new Map(
      words
        .filter((word) => word.includes('=') && !word.includes(':'))
        .concat(words.filter((word) => /^(url|hosts)=/.test(word)))
        .map((word): [string, string] => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
    );
    switch (verb) {
      case 'options':
        for (const [key, value] of named) this.#options = { ...this.#options, [key]: Number(value) };
        this.#registry = new Registry({ startedAtMs: 0, ...this.#options });
        return [];
      case 'advance':
        return this.#advance(durationOf(plain[0]!), (named.get('beating') ?? '').split(',').filter(Boolean));
      case 'pass':
        this.#nowMs += durationOf(plain[0]!);
        return [];
      case 'tick-after':
        this.#nowMs += durationOf(plain[0]!);
        return this.#apply({ type: 'tick' });
      case 'restart':
        return this.#restart(durationOf(named.get('after') ?? '0s'));
      case 'observe':
        return this.#observe(plain[0]!, Number(named.get('rev') ?? this.#registry.revision), words);
      case 'nodes':
      case 'feed':
      case 'snapshot':
      case 'progress':
      case 'show':
      case 'balancer':
      case 'records':
      case 'counts':
      case 'quotas':
      case 'contexts':
      case 'unserved':
        return this.#print(verb, plain);
      default:
        return this.#apply(this.#command(verb, plain, named));
    }
  }

  #apply(command: Command): string[] {
    const outcome = this.#registry.apply(command, this.#nowMs);
    if ('type' in outcome) return [describe(outcome)];
    if (command.type === 'register') this.#connections.set(command.node.id, command.connection);
    return outcome.map(describe);
  }

  #command(verb: string, plain: readonly string[], named: ReadonlyMap<string, string>): Command {
    const id = parseNodeId(plain[0] ?? '')!;
    const connection = Number(named.get('conn') ?? this.#connections.get(id) ?? 0);
    const reason = named.get('reason');
    const deadline = named.get('deadline');
    const limits = {
      ...(reason !== undefined && { reason }),
      ...(deadline !== undefined && { deadlineMs: durationOf(deadline) }),
    };
    switch (verb) {
      case 'register':
        return this.#register(id, named);
      case 'reachable': {
        const detail = named.get('no');
        if (named.get('other') === 'yes')
          return { type: 'reachable', id, connection, isReachable: false, isOther: true };
        const isReachable = detail === undefined;
        const probe = named.get('probe') as ProbeKind | undefined;
        const result = { ...(detail !== undefined && { detail }), ...(probe !== undefined && { probe }) };
        return { type: 'reachable', id, connection, isReachable, ...result };
      }
      case 'ready-path': {
        const status = named.get('status');
        return {
          type: 'ready-path',
          id,
          connection,
          isLate: named.has('late'),
          ...(status !== undefined && { problem: `answers ${status} at /health` }),
        };
      }
      case 'beat':
        return {
          type: 'heartbeat',
          id,
          connection,
          ...numbers(named, ['seq', 'load', 'sessions', 'inFlight']),
          ...(named.has('ready') && { ready: named.get('ready') !== 'no' }),
          ...(named.has('why') && { readyReason: named.get('why')! }),
        };
      case 'status': {
        const entries = named.get('contexts')?.split(',').map(contextOf);
        const places = entries?.flatMap(({ path, hosts = [] }) => hosts.map((host) => ({ host, path })));
        const some = places?.length ? { places } : entries && { contexts: entries.map(({ path }) => path) };
        return { type: 'node-status', id, connection, status: statusOf(plain[1]), ...limits, ...some };
      }
      case 'leave':
      case 'disconnect':
        return { type: verb, id, connection };
      case 'remove':
        return { type: 'remove', id, by: 'op', ...(reason !== undefined && { reason }) };
      case 'patch':
        return { type: 'patch-node', id, by: 'op', ...patchOf(named) };
      case 'operator': {
        const forText = named.get('for');
        const forMs = forText === undefined ? {} : { forMs: durationOf(forText) };
        const target = targetOf(plain[1] ?? '');
        const contexts = named
          .get('contexts')
          ?.split(',')
          .map((path) => parseContextPath(path)!);
        if (contexts && target.type === 'node')
          return { type: 'operator-context-status', id: target.id, contexts, status: statusOf(plain[0]), by: 'op' };
        return { type: 'operator-status', target, status: statusOf(plain[0]), by: 'op', ...limits, ...forMs };
      }
      case 'settings': {
        const source = plain[1] as 'operator' | 'flag' | 'environment' | 'file';
        const name = plain[0] === '*' ? '*' : parseBalancerName(plain[0]!)!;
        return { type: 'balancer-settings', name, source, patch: settingsOf(named), by: 'op' };
      }
      case 'worker-joined':
        return { type: verb, worker: plain[0]!, ...(named.has('pid') && { pid: Number(named.get('pid')) }) };
      case 'worker-left':
        return { type: verb, worker: plain[0]!, isOver: named.has('over') };
      case 'ports':
        return {
          type: 'ports-seen',
          worker: plain[0]!,
          ports: plain.slice(1).map((word) => {
            const [name, port] = word.split(':');
            return [parseNodeId(name!)!, port as PortReport];
          }),
        };
      case 'forget': {
        const [path, host] = [parseContextPath(named.get('path') ?? ''), parseHostPattern(named.get('host') ?? '')];
        return { type: 'forget-contexts', ...(path && { path }), ...(host && { host }) };
      }
      case 'stalled':
        return { type: 'stalled', stalledMs: durationOf(plain[0]!) };
      case 'held':
        return { type: 'agents-held', heldMs: durationOf(plain[0]!) };
      default:
        throw new Error(`the scenario has ${verb}, which is no command`);
    }
  }

  #register(id: NodeId, named: ReadonlyMap<string, string>): Command {
    const group = parseGroupName(named.get('group') ?? '');
    const lease = named.get('lease');
    const sticky = named.get('sticky') as StickyMode | undefined;
    const connection = Number(named.get('conn') ?? this.#lastConnection + 1);
    this.#lastConnection = Math.max(this.#lastConnection, connection);
    return {
      type: 'register',
      connection,
      owner: named.get('owner') ?? 'join',
      kind: (named.get('kind') ?? 'agent') as NodeKind,
      ...(lease !== undefined && { leaseMs: durationOf(lease) }),
      nowUnixMs: NOW_UNIX_MS + this.#nowMs,
      ...(named.has('replace') && { isReplacing: true }),
      ...(named.has('shadow') && { mayShadow: true }),
      ...(named.has('standing') && { standing: named.get('standing') as QuotaStanding }),
      node: {
        id,
        balancer: parseBalancerName(named.get('balancer') ?? 'shop')!,
        url: parseNodeUrl(named.get('url') ?? 'http://10.0.0.5:3000')!,
        route: parseRoute(named.get('route') ?? id)!,
        contexts: (named.get('contexts') ?? '/').split(',').map(contextOf),
        hosts: (named.get('hosts') ?? '*').split(',').map((host) => parseHostPattern(host)!),
        weight: Number(named.get('weight') ?? 1),
        ...(group && { group }),
        ...(sticky && { sticky: { mode: sticky } }),
        ...(named.has('ready') && { readyPath: named.get('ready')! }),
        ...this.#incarnation(named),
        instance: `process ${named.get('inst') ?? 'a'}`,
        loadHeader: false,
        meta: {},
      },
    };
  }

  #incarnation(named: ReadonlyMap<string, string>): { readonly incarnation?: number } {
    if (named.get('inc') === 'none') return {};
    const ahead = named.get('ahead');
    if (ahead !== undefined) return { incarnation: NOW_UNIX_MS + this.#nowMs + durationOf(ahead) };
    return { incarnation: Number(named.get('inc') ?? 1) };
  }

  #advance(ms: number, beating: readonly string[]): string[] {
    const printed: string[] = [];
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs += Math.min(250, endMs - this.#nowMs);
      if (this.#nowMs % 1_000 === 0)
        for (const name of beating) {
          const connection = this.#connections.get(name)!;
          printed.push(...this.#apply({ type: 'heartbeat', id: parseNodeId(name)!, connection }));
        }
      for (const line of this.#apply({ type: 'tick' })) printed.push(`${this.#nowMs} ms: ${line}`);
    }
    return printed;
  }

  #observe(worker: string, revision: number, words: readonly string[]): string[] {
    const nodes: NodeCounters[] = [];
    for (const word of words) {
      const [id, counts] = word.split(':');
      if (counts === undefined) continue;
      const of = (name: string): number => Number(new RegExp(`${name}=(\\d+)`).exec(counts)?.[1] ?? 0);
      nodes.push({
        id: parseNodeId(id!)!,
        inFlight: of('inFlight'),
        tunnels: of('tunnels'),
        requests: of('requests'),
        parked: of('parked'),
        failures: 0,
        serverErrors: 0,
        newSessions: 0,
        activeSessions: of('sessions'),
        sessionsSeenOnce: of('once'),
        bytesToNode: 0,
        bytesFromNode: 0,
        latencyMs: counts.includes('latency') ? of('latency') : -1,
        isEjected: counts.includes('ejected'),
      });
    }
    return this.#apply({ type: 'observe', worker, revision, nodes });
  }

  #restart(afterMs: number): string[] {
    const changes = this.#save();
    this.#nowMs += afterMs;
    this.#registry = new Registry({ ...this.#options, startedAtMs: this.#nowMs });
    this.#connections.clear();
    this.#lastConnection = 0;
    const records = [...this.#stored.values()];
    const nowUnixMs = NOW_UNIX_MS + this.#nowMs;
    return [...changes, ...this.#apply({ type: 'restore', records, nowUnixMs })];
  }

  /** Like a store: the next registry gets what came out of JSON. */
  #save(): string[] {
    const { write, remove } = this.#registry.takeRecords(NOW_UNIX_MS + this.#nowMs);
    for (const record of write) this.#stored.set(record.key, JSON.parse(JSON.stringify(record)) as StoredRecord);
    for (const key of remove) this.#stored.delete(key);
    return [];
  }

  #print(verb: string, plain: readonly string[]): string[] {
    const now = { nowMs: this.#nowMs, nowUnixMs: NOW_UNIX_MS + this.#nowMs };
    const id = parseNodeId(plain[0] ?? 'nobody')!;
    switch (verb) {
      case 'nodes':
        return [...this.#registry.nodes()].map(
          (node) =>
            `${node.id} ${node.liveness} ${effectiveStatus(node)}` +
            `${node.livenessReason === undefined ? '' : ` (${node.livenessReason})`}`,
        );
      case 'counts':
        return [fields({ ...this.#registry.counts() })];
      case 'contexts':
        return this.#registry
          .rememberedContexts()
          .map(({ host, path, balancer, sinceMs }) => `${path} on ${host} of ${balancer} since ${sinceMs} ms`);
      case 'unserved':
        return this.#registry
          .unserved()
          .map(({ host, path, balancer, cause }) => `${path} on ${host} of ${balancer}: ${cause}`);
      case 'quotas':
        return this.#registry
          .quotas()
          .map(({ name, limit, used, by }) => `${name} ${used}/${limit} ${by ?? ''}`.trim());
      case 'feed':
        return [`revision ${this.#registry.revision}`, ...this.#registry.takeChanges().map(describeChange)];
      case 'snapshot': {
        const snapshot = this.#registry.snapshot(this.#nowMs);
        return [
          `revision ${snapshot.revision}${snapshot.isSettled ? ' settled' : ''} learning ${snapshot.learningMs} ms`,
          ...snapshot.nodes.map((node) => describeChange({ type: 'node', node })),
          ...snapshot.remembered.map(
            ({ balancer, route, isExpected }) => `remembered ${balancer} ${route}${isExpected ? ' expected' : ''}`,
          ),
          ...snapshot.contexts.map(
            ({ balancer, host, path, emptyMs }) => `context ${path} on ${host} of ${balancer} empty for ${emptyMs} ms`,
          ),
        ];
      }
      case 'progress': {
        const drain = this.#registry.resource(id, now)?.drain;
        if (!drain) return ['no drain'];
        const { sessionsLeft, inFlight, tunnels, isDone, waitingFor } = drain;
        const sessionsSeenOnce = drain.sessionsSeenOnce || undefined;
        return [
          fields({
            sessionsLeft,
            sessionsSeenOnce,
            inFlight,
            tunnels,
            isDone,
            waitingFor: waitingFor.join(' and ') || undefined,
          }),
        ];
      }
      case 'show': {
        const resource: Readonly<Record<string, unknown>> = { ...this.#registry.resource(id, now) };
        return [`${plain[1]}=${JSON.stringify(resource[plain[1]!])}`];
      }
      case 'balancer': {
        const resource = this.#registry.balancerResource(parseBalancerName(plain[0]!)!);
        const set = Object.entries(resource?.origins ?? {}).filter(([, origin]) => origin !== 'default');
        const { nodes, nodesUp, sessions, inFlight } = resource ?? {};
        const once = resource?.sessionsSeenOnce || undefined;
        return [
          `${fields({ nodes, nodesUp, sessions, sessionsSeenOnce: once, inFlight })}`,
          `mode=${resource?.sticky.mode} retries=${resource?.retries} algorithm=${resource?.algorithm}`,
          ...set.map(([key, origin]) => `${key} from ${origin}`),
        ];
      }
      default: {
        this.#save();
        return [...this.#stored.values()].map(
          ({ key, expiresAtUnixMs }) =>
            `${key}${expiresAtUnixMs === undefined ? '' : ` until ${expiresAtUnixMs - NOW_UNIX_MS} ms`}`,
        );
      }
    }
  }
}

function describe(event: Event | Rejection): string {
  if (event.type === 'rejected') return `rejected ${event.code}: ${event.message}`;
  if (event.type === 'balancer') {
    const { name, algorithm, sticky, retries } = event.balancer;
    return `balancer ${name} mode=${sticky.mode} failover=${sticky.failover} algorithm=${algorithm} retries=${retries}`;
  }
  const { type, ...rest } = event;
  const { id, ...others }: Readonly<Record<string, unknown>> = { ...rest };
  return [type, id, fields(others)].filter((part) => part !== undefined && part !== '').join(' ');
}

function contextOf(text: string): ContextEntry {
  const [path, hosts] = text.split('@');
  return {
    path: parseContextPath(path!)!,
    ...(hosts !== undefined && { hosts: hosts.split('+').map((host) => parseHostPattern(host)!) }),
  };
}

function describeChange(change: FeedChange): string {
  if (change.type === 'balancer') return `balancer ${change.balancer.name}`;
  if (change.type === 'joining') return `joining ${change.contexts.map(({ path }) => path).join(',') || 'nothing'}`;
  if (change.type !== 'node') {
    if (change.type === 'context-remembered') return `${change.type} ${fields({ ...change.context })}`;
    const { type, ...rest } = change;
    return `${type} ${fields(rest)}`;
  }
  const { id, balancer, route, liveness, weight, standby, redirectTo, incarnation, silentMs } = change.node;
  const paths = contextsOf(change.node)
    .map(({ path, status, hosts }) => `${path}${hosts ? `@${hosts.join('+')}` : ''}:${status}`)
    .join(',');
  const about = {
    silentMs,
    isDisconnected: change.node.hasAgent && !change.node.isConnected,
    isUnready: !change.node.isReady,
    flapping: change.node.flapping,
    probe: change.node.probe === 'options' ? undefined : change.node.probe,
  };
  return `node ${id} ${fields({ balancer, route, liveness, paths, weight, standby, redirectTo, incarnation, ...about })}`;
}

/** `key=value`, true as the bare key; false, undefined and empty lists are left out. */
function fields(value: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined || field === false || (Array.isArray(field) && field.length === 0)) continue;
    if (field === true) parts.push(key);
    else parts.push(`${key}=${typeof field === 'string' ? field : JSON.stringify(field)}`);
  }
  return parts.join(' ');
}

function durationOf(text: string): number {
  return parseDuration(text) ?? Number.NaN;
}

function statusOf(text: string | undefined): 'enabled' | 'draining' | 'stopped' {
  if (text === 'enabled' || text === 'draining' || text === 'stopped') return text;
  throw new Error(`the scenario has ${text}, which is no status`);
}

function targetOf(text: string): Target {
  const [type, name = ''] = text.split(':');
  if (type === 'balancer') return { type, name: parseBalancerName(name)! };
  if (type === 'group') return { type, name: parseGroupName(name)! };
  return { type: 'node', id: parseNodeId(name)! };
}

function numbers(named: ReadonlyMap<string, string>, keys: readonly string[]): Record<string, number> {
  return Object.fromEntries(keys.filter((key) => named.has(key)).map((key) => [key, Number(named.get(key))]));
}

function patchOf(named: ReadonlyMap<string, string>): {
  weight?: number | null;
  standby?: boolean | null;
  redirectTo?: NodeId | null;
} {
  const [weight, standby, redirect] = [named.get('weight'), named.get('standby'), named.get('redirect')];
  return {
    ...(weight !== undefined && { weight: weight === '-' ? null : Number(weight) }),
    ...(standby !== undefined && { standby: standby === '-' ? null : standby === 'on' }),
    ...(redirect !== undefined && { redirectTo: redirect === '-' ? null : parseNodeId(redirect)! }),
  };
}

function settingsOf(named: ReadonlyMap<string, string>): BalancerPatch {
  const value = (key: string): string | null | undefined => (named.get(key) === '-' ? null : named.get(key));
  const [algorithm, retries, mode, failover, cookies] = ['algorithm', 'retries', 'mode', 'failover', 'cookies'].map(
    value,
  );
  return {
    ...(algorithm !== undefined && { algorithm }),
    ...(retries !== undefined && { retries: retries === null ? null : Number(retries) }),
    sticky: {
      ...(mode !== undefined && { mode: mode as StickyMode | null }),
      ...(failover !== undefined && { failover: failover as 'any' | 'group' | 'none' | null }),
      ...(cookies !== undefined && { cookies: cookies === null ? null : cookies.split(',') }),
    },
  };
}
