/**
 * Processing of events: each is logged once, numbered for the pages, and written to the audit if it is a change of state.
 * Refusals are audited too, repeated ones as sums, so that clients without a right cannot fill the disk.
 */
import type { Event } from '@rollcall/core';
import type { EventResource, Fault } from '@rollcall/protocol';
import type { Logger } from 'pino';
import type { Clocks } from '../clocks.ts';
import type { Cluster, Origin } from '../cluster.ts';
import type { Audit } from './audit.ts';
import { changedBy } from './changed-state.ts';
import type { Changes } from './changes.ts';
import type { EventLog } from './event-log.ts';
import { type EventLine, eventLine } from './event-sentence.ts';
import { type RefusalNote, type RefusalSum, RefusalSums } from './refusal-sums.ts';

/** Upper bound of the time that the answer to a change waits for its audit entry, milliseconds. */
const AUDIT_MS = 250;
/** Interval of the checks for sums of refusals to write, milliseconds. */
const SUMS_MS = 1_000;

export class History {
  readonly log: EventLog;
  readonly #clocks: Clocks;
  readonly #audit: Audit;
  readonly #changes: Changes;
  readonly #logger: Logger;
  readonly #refusals: RefusalSums;
  readonly #timer: NodeJS.Timeout;
  readonly #refusalsByCode = new Map<string, number>();

  constructor({ cluster, log, audit, logger }: { cluster: Cluster; log: EventLog; audit: Audit; logger: Logger }) {
    this.log = log;
    this.#clocks = cluster.clocks;
    this.#audit = audit;
    this.#changes = cluster.changes;
    this.#logger = logger;
    this.#refusals = new RefusalSums(cluster.clocks.nowMs());
    this.#timer = setInterval(() => this.writeSums(), SUMS_MS);
    this.#timer.unref();
    cluster.onEvent((event, origin) => this.#take(event, origin));
  }

  /** The reason why the audit file is incomplete; `undefined` if it is complete. */
  get audit(): Pick<Audit, 'lost' | 'trouble' | 'path'> {
    return this.#audit;
  }

  /** A sentence for the answer to a change if its audit entry is not on disk within a short time. */
  auditNote(): Promise<string | undefined> {
    return this.#audit.settled(AUDIT_MS);
  }

  /** Number of answers to agents and operators, by error code. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusalsByCode;
  }

  /** A refused request or message. `what` names it, e.g. `register`, `PUT /v1/nodes/:id`. */
  refused(
    what: string,
    fault: Fault,
    who: { readonly by?: string; readonly address?: string; readonly node?: string },
  ): void {
    this.#refusalsByCode.set(fault.code, (this.#refusalsByCode.get(fault.code) ?? 0) + 1);
    const { by, address, node } = who;
    const note: RefusalNote = {
      what,
      code: fault.code,
      message: fault.message,
      ...(node !== undefined && { node }),
      ...(by !== undefined && { by }),
      ...(address !== undefined && { address }),
    };
    if (this.#refusals.isWrittenNow(note, this.#clocks.nowMs())) this.#writeRefusal(note);
  }

  /** Writes the sums of refusals that are due, or all at the end. Public so that tests need not wait for the timer. */
  writeSums(isEnd = false): void {
    for (const sum of this.#refusals.due(this.#clocks.nowMs(), isEnd)) this.#writeRefusal(sum, sum);
  }

  /** Writes the remaining sums of refusals. The audit is closed after it. */
  close(): void {
    clearInterval(this.#timer);
    this.writeSums(true);
  }

  #writeRefusal({ what, code, message, node, by, address }: RefusalNote, sum?: RefusalSum): void {
    const count = sum?.count;
    const text = sum === undefined ? message : sumText(sum);
    this.#logger.info({ what, code, node, by, from: address, count }, `refused: ${text}`);
    this.#audit.add({
      id: this.log.takeId(),
      atUnixMs: Math.floor(this.#clocks.nowUnixMs()),
      what: `refused ${what}`,
      code,
      message: text,
      ...(count !== undefined && { count }),
      ...(node !== undefined && { node }),
      ...(by !== undefined && { by }),
      ...(address !== undefined && { from: address }),
    });
  }

  /** A finding of a worker, or of the coordinator about itself; reported like a registry event. */
  note(line: EventLine): EventResource {
    const event = this.log.add(line);
    this.#logger.info({ event: line.type, node: line.node, balancer: line.balancer }, line.message);
    return event;
  }

  /** An action of an administrator that does not change the cluster: reported, and written to the audit. */
  did(what: string, message: string, { by, address, reason, changeId }: { readonly by: string } & Origin): void {
    const { id } = this.note({ type: what, message, by });
    this.#audit.add({
      id,
      isEvent: true,
      atUnixMs: Math.floor(this.#clocks.nowUnixMs()),
      ...(changeId !== undefined && { change: changeId }),
      what,
      message,
      by,
      ...(reason !== undefined && { reason }),
      ...(address !== undefined && { from: address }),
    });
  }

  #take(event: Event, origin: Origin): void {
    const line = eventLine(event);
    if (line === undefined) return;
    const { type, ...what } = this.log.add(line);
    const level = isWarning(event) ? 'warn' : 'info';
    this.#logger[level]({ event: line.type, node: line.node, balancer: line.balancer, by: line.by }, line.message);
    // The reason of a request belongs to the events of its operator, not to their consequences.
    const reason = 'reason' in event ? event.reason : 'by' in event ? origin.reason : undefined;
    this.#audit.add({
      ...what,
      isEvent: true,
      what: type,
      ...changedBy(this.#changes, event, origin, this.#clocks),
      ...(reason !== undefined && { reason }),
      ...(origin.address !== undefined && { from: origin.address }),
    });
  }
}

/** E.g. `84 more in 60 s, the last: the token is unknown`. */
function sumText({ count, overMs, message, nodes }: RefusalSum): string {
  const named = nodes.length > 1 ? `; nodes ${nodes.join(', ')}` : '';
  return `${count} more in ${Math.round(overMs / 1_000)} s, the last: ${message}${named}`;
}

function isWarning(event: Event): boolean {
  if (event.type === 'sticky') return event.isOn;
  if (event.type === 'gone') return event.cause === 'refused' || event.cause === 'expired';
  return ['suspect', 'down', 'unreachable', 'conflict-lost'].includes(event.type);
}
