/** `rollcall drain NODE --extend`, `--end` and `--undo`: changes of a drain in progress. */
import { isName } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';
import { sendConfirmed } from './confirmation.ts';
import { printInForce, type WaitFlags } from './in-force.ts';
import { withNextStep } from './no-target.ts';
import { clientFor, type ReaderFlags } from './reader-flags.ts';
import { boundedMs, reasonOf } from './verb-flags.ts';

const CHANGES = ['extend', 'end', 'undo'] as const;
/** Flags of a drain that begins. */
const OF_NEW = ['deadline', 'for', 'balancer', 'group', 'where', 'context', 'wait', 'timeout'] as const;

interface ChangeFlags extends ReaderFlags, WaitFlags {
  readonly extend?: string;
  readonly end?: boolean;
  readonly undo?: boolean;
  readonly reason?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export interface DrainChange {
  readonly node: string;
  readonly what: (typeof CHANGES)[number];
  /** Additional time; only with `extend`. */
  readonly byMs: number;
}

/** The change that the flags request; `undefined` for a new drain. Fails with exit 2 for flags that exclude each other. */
export function drainChange(node: string | undefined, flags: ChangeFlags): DrainChange | undefined {
  const [what, ...more] = CHANGES.filter((name) => flags[name] !== undefined);
  if (what === undefined) return undefined;
  const others = [
    ...more,
    ...OF_NEW.filter((name) => (flags as Readonly<Record<string, unknown>>)[name] !== undefined),
  ];
  if (others.length > 0) throw usage(`--${what} cannot be combined with --${others[0]}`);
  if (node === undefined || !isName(node)) throw usage(`--${what} needs the id of one node`);
  return { node, what, byMs: boundedMs('--extend', flags.extend) ?? 0 };
}

export async function changeDrain({ node, what, byMs }: DrainChange, flags: ChangeFlags): Promise<void> {
  const client = await clientFor(flags);
  const body = reasonOf(flags.reason);
  const dryRun = flags.dryRun === true ? { dryRun: true } : {};
  try {
    switch (what) {
      case 'extend': {
        const { deadlineUnixMs, outcome } = await client.call('getDrain', { path: { node } });
        if (deadlineUnixMs === undefined && outcome === undefined)
          throw new CliFailure(`the drain of ${node} has no deadline to extend`, EXIT.failed);
        const leftMs = Math.max(0, (deadlineUnixMs ?? 0) - Date.now());
        const patch = { ...body, ...dryRun, deadlineMs: leftMs + byMs };
        return await printInForce(client, await client.call('patchDrain', { path: { node }, body: patch }), flags);
      }
      case 'end': {
        const send = (more: object) => client.call('endDrain', { path: { node }, body: { ...body, ...more } });
        return await printInForce(client, await sendConfirmed({ send, verb: 'End', endsSessions: true }, flags), flags);
      }
      case 'undo': {
        // Without a drain there is nothing to undo; a stopped node stays stopped.
        await client.call('getDrain', { path: { node } });
        const write = { path: { id: node }, body: { ...body, ...dryRun } };
        return await printInForce(client, await client.call('enableNode', write), flags);
      }
      default:
        what satisfies never;
    }
  } catch (error) {
    throw withNextStep(error, 'rollcall drains lists the drains');
  }
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
