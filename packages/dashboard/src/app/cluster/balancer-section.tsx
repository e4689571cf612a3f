/** One line for each balancer, with a strip that has a cell for each node. */

import type { BalancerRow, NodeRow } from '@rollcall/protocol';
import { countText, errorText, latencyText, plural, rateText } from '../../model/figures.ts';
import { busyPercent, nodeState, TONES, type Tone } from '../../model/node-state.ts';
import { peersByBalancer } from '../../model/peers.ts';
import { clusterMs, go, place } from '../state.ts';
import { type HeatCell, HeatStrip } from './heat-strip.tsx';

interface BalancerSectionOptions {
  readonly balancers: Readonly<Record<string, BalancerRow>>;
  readonly nodes: Readonly<Record<string, NodeRow>>;
}

export function BalancerSection({ balancers, nodes }: BalancerSectionOptions) {
  const cells = cellsByBalancer(nodes, clusterMs.value);
  const names = [...new Set([...Object.keys(balancers), ...cells.keys()])].sort();
  return (
    <section id="balancers" tabIndex={-1} aria-label="Balancers">
      <h2>Balancers</h2>
      <div class="balancers">
        {names.map((name) => (
          <Balancer key={name} name={name} row={balancers[name]} cells={cells.get(name) ?? []} />
        ))}
      </div>
    </section>
  );
}

interface BalancerOptions {
  readonly name: string;
  readonly row: BalancerRow | undefined;
  readonly cells: readonly HeatCell[];
}

function Balancer({ name, row, cells }: BalancerOptions) {
  const isOnly = place.value.balancer === name;
  return (
    <article class={isOnly ? 'balancer balancer-only' : 'balancer'}>
      <h3>
        <button
          type="button"
          class="link"
          aria-pressed={isOnly}
          title={isOnly ? 'Show the nodes of all balancers' : `Show only the nodes of ${name}`}
          onClick={() => go({ balancer: isOnly ? undefined : name })}
        >
          {name}
        </button>
      </h3>
      <p class="balancer-count">{row === undefined ? `${plural(cells.length, 'node')}` : availabilityText(row)}</p>
      <div class="heat-place">
        <HeatStrip cells={cells} label={stripText(name, cells)} />
      </div>
      {row !== undefined && (
        <dl class="figures">
          <Figure name="requests/s" text={rateText(row.rates.requestsPerSecond)} />
          <Figure name="errors" text={errorText(row.rates)} />
          <Figure name="p99" text={latencyText(row.rates.p99Ms)} />
          <Figure name="sessions" text={countText(row.sessions)} />
          <Figure name="in flight" text={countText(row.inFlight)} />
        </dl>
      )}
    </article>
  );
}

function Figure({ name, text }: { readonly name: string; readonly text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** `5 of 6 take new sessions, 1 missing`. */
function availabilityText({ eligible, up, missing, wanted }: BalancerRow): string {
  const all = Math.max(wanted ?? 0, up + missing);
  const parts = [`${eligible} of ${all} take new sessions`];
  if (missing > 0) parts.push(`${missing} missing`);
  return parts.join(', ');
}

function cellsByBalancer(
  nodes: Readonly<Record<string, NodeRow>>,
  nowMs: number,
): ReadonlyMap<string, readonly HeatCell[]> {
  const peers = peersByBalancer(nodes);
  const found = new Map<string, HeatCell[]>();
  for (const [id, node] of Object.entries(nodes)) {
    const { tone, word } = nodeState(node, peers.get(node.balancer), nowMs);
    if (word === 'gone') continue;
    const cells = found.get(node.balancer) ?? [];
    found.set(node.balancer, cells);
    cells.push({ id, tone, word, busy: (busyPercent(node) ?? 0) / 100 });
  }
  for (const cells of found.values()) cells.sort((one, other) => (one.id < other.id ? -1 : 1));
  return found;
}

/** `shop: 4 up, 1 draining`. */
function stripText(name: string, cells: readonly HeatCell[]): string {
  const counts = new Map<string, { tone: Tone; count: number }>();
  for (const { word, tone } of cells) counts.set(word, { tone, count: (counts.get(word)?.count ?? 0) + 1 });
  const parts = [...counts]
    .sort(([, one], [, other]) => TONES.indexOf(one.tone) - TONES.indexOf(other.tone))
    .map(([word, { count }]) => `${count} ${word}`);
  return `${name}: ${parts.join(', ')}`;
}
