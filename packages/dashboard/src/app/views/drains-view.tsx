/** Drains in progress, and drains that ended within the last hour. */
import type { DrainResource } from '@rollcall/protocol';
import { countText, plural } from '../../model/figures.ts';
import type { Tone } from '../../model/node-state.ts';
import { clockText, spanText } from '../../model/times.ts';
import { api, errorMessage } from '../admin-call.ts';
import { Mark } from '../frame/mark.tsx';
import { canAct, clusterMs, dialog, go, isLive, isUtc, show } from '../state.ts';
import { usePolled } from './polled.ts';
import { Trouble } from './trouble.tsx';

const LONGER_MS = 15 * 60_000;

export function DrainsView() {
  const { answer, trouble } = usePolled('drains', () => api.call('listDrains'));
  const drains = answer?.drains ?? [];
  return (
    <section class="view">
      <h2>Drains</h2>
      <Trouble text={trouble} />
      {answer !== undefined && drains.length === 0 && (
        <p class="quiet">No node drains, and none has drained within the last hour.</p>
      )}
      <ul class="cards">
        {drains.map((drain) => (
          <DrainCard key={drain.node} drain={drain} />
        ))}
      </ul>
    </section>
  );
}

function DrainCard({ drain }: { readonly drain: DrainResource }) {
  const { node, outcome, by = 'the node', reason, usedInLastMinute, oldestMs, inFlight, waitingFor } = drain;
  const facts = [
    `requested by ${by}${reason === undefined ? '' : `: ${reason}`}`,
    ...(outcome === undefined && usedInLastMinute !== undefined
      ? [`${countText(usedInLastMinute)} used in the last minute`]
      : []),
    ...(outcome === undefined && oldestMs !== undefined ? [`the oldest for ${spanText(oldestMs)}`] : []),
    ...(inFlight > 0 ? [`${countText(inFlight)} in flight`] : []),
    ...(waitingFor === undefined ? [] : [`waiting for ${waitingFor.join(', ')}`]),
  ];
  return (
    <li class={`card tone-${toneOf(drain)}`}>
      <h3>
        <Mark tone={toneOf(drain)} />{' '}
        <button type="button" class="link" onClick={() => go({ view: 'node', node })}>
          {node}
        </button>
        : {endText(drain)}
      </h3>
      <p>{facts.join(' · ')}</p>
      {outcome === undefined && <p class="quiet">{untilText(drain)}</p>}
      {outcome === undefined && canAct.value && (
        <p class="card-acts">
          <button type="button" disabled={!isLive.value} onClick={() => void extend(drain)}>
            +15 min
          </button>
          <button type="button" disabled={!isLive.value} onClick={() => act('stop', node)}>
            End now
          </button>
          <button type="button" disabled={!isLive.value} onClick={() => act('enable', node)}>
            Undo
          </button>
        </p>
      )}
    </li>
  );
}

const TONES = { empty: 'good', 'deadline-over': 'risk', killed: 'outage' } as const;

function toneOf({ outcome }: DrainResource): Tone {
  return outcome === undefined ? 'planned' : TONES[outcome];
}

/** The three ends have words of their own: only one of them is safe. */
function endText({ outcome, sessionsLeft, sessionsLost = 0 }: DrainResource): string {
  const left = plural(sessionsLeft, 'session');
  if (outcome === undefined) return `${left} left`;
  const ends = {
    empty: 'empty, safe to stop',
    'deadline-over': `deadline over, ${left} left`,
    killed: `killed, ${plural(sessionsLost, 'session')} lost`,
  };
  return ends[outcome];
}

function untilText({ emptyAtUnixMs, deadlineUnixMs }: DrainResource): string {
  const at = (unixMs: number): string => clockText(unixMs, clusterMs.value, isUtc.value);
  const parts = [
    ...(emptyAtUnixMs === undefined ? [] : [`empty about ${at(emptyAtUnixMs)}`]),
    deadlineUnixMs === undefined
      ? 'no deadline'
      : `deadline ${at(deadlineUnixMs)}, in ${spanText(deadlineUnixMs - clusterMs.value)}`,
  ];
  return parts.join(' · ');
}

function act(verb: 'stop' | 'enable', node: string): void {
  dialog.value = { type: 'act', act: { verb, target: { nodes: [node] } } };
}

async function extend({ node, deadlineUnixMs }: DrainResource): Promise<void> {
  const leftMs = deadlineUnixMs === undefined ? 0 : Math.max(0, deadlineUnixMs - clusterMs.value);
  try {
    const { message } = await api.call('patchDrain', {
      path: { node },
      body: { deadlineMs: Math.round(leftMs) + LONGER_MS },
    });
    show(message);
  } catch (error) {
    show(`Not extended: ${errorMessage(error)}`, true);
  }
}
