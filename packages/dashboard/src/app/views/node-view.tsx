/** Everything about one node: its four facts, why it gets its share, its events, and the resource as JSON. */
import type { NodeRow } from '@rollcall/protocol';
import type { Verb } from '../../model/commands.ts';
import { explainedNumbers, metricRow, shareRows } from '../../model/explanation-words.ts';
import { countText, errorText, latencyText, plural, rateText } from '../../model/figures.ts';
import { nodeState } from '../../model/node-state.ts';
import { clockText, spanText } from '../../model/times.ts';
import { api } from '../admin-call.ts';
import { Mark } from '../frame/mark.tsx';
import { canAct, clusterMs, dialog, go, isLive, isUtc, live } from '../state.ts';
import { EventList } from './events-view.tsx';
import { usePolled } from './polled.ts';
import { Scroll } from './scroll.tsx';
import { Trouble } from './trouble.tsx';

const VERBS: readonly Verb[] = ['drain', 'enable', 'stop', 'acknowledge', 'remove'];

export function NodeView({ id }: { readonly id: string }) {
  const node = live.value.cluster?.nodes[id];
  return (
    <section class="view">
      <p>
        <button type="button" class="link" onClick={() => go({ view: 'cluster' })}>
          ← All nodes
        </button>
      </p>
      <h2>
        <Mark tone={node === undefined ? 'quiet' : nodeState(node, undefined, clusterMs.value).tone} /> {id}
      </h2>
      {node === undefined ? <p>This node is not here now.</p> : <Present id={id} node={node} />}
      <h3>Events</h3>
      <EventList node={id} />
      <Resource id={id} />
    </section>
  );
}

function Present({ id, node }: { readonly id: string; readonly node: NodeRow }) {
  return (
    <>
      {canAct.value && (
        <p class="card-acts">
          {VERBS.filter((verb) => verb !== 'acknowledge' || node.liveness === 'missing').map((verb) => (
            <button
              key={verb}
              type="button"
              disabled={!isLive.value}
              onClick={() => {
                dialog.value = { type: 'act', act: { verb, target: { nodes: [id] } } };
              }}
            >
              {verb}
            </button>
          ))}
        </p>
      )}
      <Facts rows={factsOf(node)} />
      <h3>Why it gets its share</h3>
      <Why id={id} />
    </>
  );
}

type Fact = readonly [name: string, text: string];

function factsOf(node: NodeRow): readonly Fact[] {
  const { operatorStatus, ejection, rates } = node;
  const at = (unixMs: number): string => clockText(unixMs, clusterMs.value, isUtc.value);
  const request =
    operatorStatus === undefined
      ? 'enabled'
      : [
          operatorStatus.status,
          ...(operatorStatus.by === undefined ? [] : [`by ${operatorStatus.by}`]),
          ...(operatorStatus.reason === undefined ? [] : [operatorStatus.reason]),
          ...(operatorStatus.untilUnixMs === undefined ? [] : [`until ${at(operatorStatus.untilUnixMs)}`]),
        ].join(', ');
  const observed =
    ejection === undefined
      ? 'not ejected within ten minutes'
      : `${ejection.isOver ? 'was ejected' : 'ejected'} ${plural(ejection.count, 'time')}, ${ejection.reason}, since ${at(ejection.sinceUnixMs)}`;
  return [
    ['operator requests', request],
    ['node requests', node.nodeStatus],
    ['liveness', `${node.liveness} for ${spanText(clusterMs.value - node.sinceUnixMs)}`],
    ['workers observe', observed],
    ['address', node.url],
    ['balancer', node.balancer],
    ['route', node.route],
    ...(node.group === undefined ? [] : [['group', node.group] as const]),
    ...(node.version === undefined ? [] : [['version', node.version] as const]),
    ['host', node.host],
    ['weight', `${node.weight}${node.isStandby ? ', standby' : ''}`],
    ...(node.redirectTo === undefined ? [] : [['redirects to', node.redirectTo] as const]),
    ['sessions', `${countText(node.sessions)}, and ${countText(node.sessionsSeenOnce)} seen once`],
    ['in flight', countText(node.inFlight)],
    ['requests', `${rateText(rates.requestsPerSecond)}/s, ${errorText(rates)} errors, ${latencyText(node.latencyMs)}`],
  ];
}

function Facts({ rows }: { readonly rows: readonly Fact[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Why({ id }: { readonly id: string }) {
  const { answer, trouble } = usePolled(`explain ${id}`, () => api.call('explainNode', { path: { id } }));
  if (answer === undefined) return <Trouble text={trouble} />;
  return (
    <>
      <ul>
        {answer.because.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <p class="quiet">{explainedNumbers(answer, spanText).join(' · ')}</p>
      <Scroll label="Shares and metrics">
        <SmallTable heads={['', 'now', 'share', 'fair share']} rows={shareRows(answer)} />
        {answer.metrics.length > 0 && (
          <SmallTable
            heads={['metric', 'value', 'capacity', 'weight', 'role', 'part of the load', 'mean']}
            rows={answer.metrics.map(metricRow)}
          />
        )}
      </Scroll>
    </>
  );
}

function SmallTable({
  heads,
  rows,
}: {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}) {
  return (
    <table class="small">
      <thead>
        <tr>
          {heads.map((head, i) =>
            i === 0 && head === '' ? (
              <td key={head} />
            ) : (
              <th key={head} scope="col">
                {head}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, ...cells]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {cells.map((cell, i) => (
              <td key={heads[i + 1]} class="number">
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Resource({ id }: { readonly id: string }) {
  const { answer } = usePolled(`node ${id}`, () => api.call('getNode', { path: { id } }));
  return answer === undefined ? null : (
    <details>
      <summary>As JSON</summary>
      <Scroll label={`Node ${id} as JSON`}>
        <pre>{JSON.stringify(answer, null, 2)}</pre>
      </Scroll>
    </details>
  );
}
