/** The faults of coordinators, of Redis and of their links, as data, and how each is done. */
import { setTimeout as pause } from 'node:timers/promises';
import type { StatusResource } from '@rollcall/protocol';
import { nowMs } from '../../live-cluster/instant.ts';
import { NextLayout } from './next-layout.ts';
import { writeOddRecords } from './odd-records.ts';
import { type Pair, rootOf } from './pair.ts';
import type { RelayMode } from './relay.ts';
import { settle } from './settling.ts';

/** `at`: the coordinator, 0 or 1. `forMs`: duration; without one the fault heals by itself. */
export type CoordinatorFault = {
  readonly atMs: number;
  readonly forMs?: number;
} /** The control process alone. It is replaced. */ & (
  | { readonly type: 'kill-control' | 'freeze-control'; readonly at: 0 | 1 }
  /** Supervisor, control process and workers. After `forMs` they are continued or started again. */
  | { readonly type: 'freeze-tree' | 'kill-tree'; readonly at: 0 | 1 }
  /** An orderly end, and a start: of these coordinators, one after the other. `as`: with this build. Default: with that of before. */
  | { readonly type: 'restart'; readonly of: readonly (0 | 1)[]; readonly as?: 'current' | 'release' }
  /** The machines of both coordinators are killed, the second one when the views are equal again. Each returns after `offMs`. */
  | { readonly type: 'kill-each'; readonly offMs: number }
  /** A second process with the state directory of this coordinator. Its start must be refused. */
  | { readonly type: 'second-process'; readonly at: 0 | 1 }
  | { readonly type: 'kill-redis'; readonly isEmpty: boolean }
  | { readonly type: 'freeze-redis' | 'empty-redis' }
  /** Commands to Redis that make the fault and end it. */
  | { readonly type: 'redis-commands'; readonly begin: Commands; readonly end: Commands }
  /** A coordinator of the next layout announces itself, and writes its layout after `raisesMs`, which is shorter than `forMs`. */
  | { readonly type: 'next-layout'; readonly raisesMs: number }
  /** Records that this release cannot read, or does not know, appear in Redis. */
  | { readonly type: 'odd-records' }
  /** The wall clock of the first coordinator is so many seconds fast. */
  | { readonly type: 'wrong-clock'; readonly seconds: number }
  /** Links to Redis, of these coordinators. */
  | { readonly type: 'store-links'; readonly of: readonly number[]; readonly mode: RelayMode }
  /** Links of agents to these coordinators: of all nodes, or of these (0 to 3). */
  | {
      readonly type: 'agent-links';
      readonly of: readonly number[];
      readonly nodes?: readonly number[];
      readonly mode: RelayMode;
    }
);

export type Commands = readonly (readonly string[])[];

/** When a fault was in force, and when it had healed; `idle`: it has met nothing, in one sentence. */
export interface Played {
  readonly fault: CoordinatorFault;
  readonly beganMs: number;
  readonly inForceMs: number;
  readonly healedMs: number;
  readonly idle?: string;
}

/** Pause before a restart: agents connect again to the coordinator that was restarted before. */
const BETWEEN_RESTARTS_MS = 3_000;

/** Longest wait for equal views between two kills. */
const BETWEEN_KILLS_MS = 20_000;

/** How far a clock may be off what the fault has set, milliseconds. */
const CLOCK_OFF_MS = 10_000;

/** Does a fault, waits for its end and heals it. */
export async function play(fault: CoordinatorFault, pair: Pair): Promise<Played> {
  const beganMs = nowMs();
  const end = await BEGIN[fault.type](fault as never, pair);
  const inForceMs = nowMs();
  await pause(fault.forMs ?? 0);
  const idle = await end();
  return { fault, beganMs, inForceMs, healedMs: nowMs(), ...(typeof idle === 'string' && { idle }) };
}

type End = () => unknown;
/** The union by distribution, because one member has several types. */
type Of<Type, Fault = CoordinatorFault> = Fault extends { readonly type: infer Own }
  ? Type extends Own
    ? Fault
    : never
  : never;
type Begin = { readonly [Type in CoordinatorFault['type']]: (fault: Of<Type>, pair: Pair) => Promise<End> };

const BEGIN: Begin = {
  'kill-control': async ({ at }, { coordinators }) => {
    const pid = coordinators[at].signalControl('SIGKILL');
    return () => coordinators[at].replaced(pid);
  },
  'freeze-control': async ({ at }, { coordinators }) => {
    const pid = coordinators[at].signalControl('SIGSTOP');
    // The supervisor replaces it earlier than it would be continued.
    return () => coordinators[at].replaced(pid);
  },
  'freeze-tree': async ({ at }, { coordinators }) => {
    coordinators[at].freezeTree();
    return () => coordinators[at].thawTree();
  },
  'kill-tree': async ({ at }, { coordinators }) => {
    await coordinators[at].killTree();
    return () => coordinators[at].start();
  },
  restart:
    async ({ of, as }, { coordinators, roots }) =>
    async () => {
      for (const at of of) {
        await pause(BETWEEN_RESTARTS_MS);
        await coordinators[at].stop();
        await coordinators[at].start(as && rootOf(roots, as));
      }
    },
  'kill-each':
    async ({ offMs }, pair) =>
    async () => {
      for (const coordinator of pair.coordinators) {
        const { settledAtMs, found } = await settle(pair, true, BETWEEN_KILLS_MS);
        if (settledAtMs === undefined) return `${coordinator.name} was not killed: ${found.join('; ')}`;
        await coordinator.killTree();
        await pause(offMs);
        await coordinator.start();
      }
      return undefined;
    },
  'second-process': async ({ at }, { coordinators }) => {
    const text = await coordinators[at].startSecond();
    return () => {
      if (text === undefined) return 'a second process with the same state directory serves';
      return /is in use by process \d+/.test(text) ? undefined : `a second process does not name the first: ${text}`;
    };
  },
  'kill-redis': async ({ isEmpty }, { redis }) => {
    await redis.kill();
    return () => redis.restart({ isEmpty });
  },
  'freeze-redis': async (_, { redis }) => {
    redis.pause();
    return () => redis.resume();
  },
  'empty-redis': async (_, pair) => {
    await pair.command(['FLUSHALL']);
    return () => undefined;
  },
  'redis-commands': async ({ begin, end }, pair) => {
    await pair.command(...begin);
    return () => pair.command(...end);
  },
  'next-layout': async ({ raisesMs }, pair) => {
    const next = await NextLayout.start(pair);
    const raising = pause(raisesMs).then(() => next.raise());
    return async () => {
      await raising;
      await next.end();
    };
  },
  'odd-records': async (_, pair) => {
    await writeOddRecords(pair);
    return () => undefined;
  },
  'wrong-clock': async ({ seconds }, pair) => {
    pair.setClock(seconds);
    return async () => {
      const { body } = await pair.coordinators[0].api('GET', '/v1/status');
      const fastMs = (body as StatusResource).nowUnixMs - Date.now();
      pair.setClock(0);
      return Math.abs(fastMs - seconds * 1_000) < CLOCK_OFF_MS ? undefined : `the clock was ${fastMs} ms fast`;
    };
  },
  'store-links': async ({ of, mode }, { storeLinks }) => {
    const links = of.map((at) => storeLinks[at]!);
    await Promise.all(links.map((link) => link.set(mode)));
    return async () => {
      const idle = links.some(({ met }) => met === 0) ? 'the fault of the links to Redis met nothing' : undefined;
      await Promise.all(links.map((link) => link.set({ type: 'pass' })));
      return idle;
    };
  },
  'agent-links': async ({ of, nodes, mode }, { agentLinks }) => {
    const links = of.flatMap((at) => agentLinks[at]!.filter((_, node) => nodes?.includes(node) ?? true));
    await Promise.all(links.map((link) => link.set(mode)));
    return async () => {
      const idle = links.some(({ met }) => met === 0) ? 'the fault of the links of agents met nothing' : undefined;
      await Promise.all(links.map((link) => link.set({ type: 'pass' })));
      return idle;
    };
  },
};
