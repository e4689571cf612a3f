/** This coordinator and its workers, and why a request of the past got its answer. */

import type { StatusResource } from '@rollcall/protocol';
import { useState } from 'preact/hooks';
import { bytes } from '../../model/amounts.ts';
import { requestSentences } from '../../model/explanation-words.ts';
import { countText, rateText } from '../../model/figures.ts';
import { spanText } from '../../model/times.ts';
import { api, errorMessage } from '../admin-call.ts';
import { usePolled } from './polled.ts';
import { Scroll } from './scroll.tsx';
import { Trouble } from './trouble.tsx';

export function RequestsView() {
  const { answer, trouble } = usePolled('status', () => api.call('getStatus'));
  return (
    <section class="view">
      <h2>Requests</h2>
      <Past />
      <Trouble text={trouble} />
      {answer !== undefined && <Status status={answer} />}
    </section>
  );
}

/** Looks up a decision by the request id, which error pages show. */
function Past() {
  const [lines, setLines] = useState<readonly string[]>([]);
  const find = async (requestId: string): Promise<void> => {
    try {
      setLines(requestSentences(await api.call('getPastDecision', { path: { requestId } })));
    } catch (error) {
      setLines([errorMessage(error)]);
    }
  };
  return (
    <form
      class="past"
      onSubmit={(submit) => {
        submit.preventDefault();
        const id = String(new FormData(submit.currentTarget).get('id') ?? '').trim();
        if (id !== '') void find(id);
      }}
    >
      <label>
        Explain a request by its X-Request-Id <input name="id" maxLength={128} autocomplete="off" spellcheck={false} />
      </label>{' '}
      <button type="submit">Explain</button>
      <ol aria-live="polite">
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ol>
    </form>
  );
}

function Status({ status }: { readonly status: StatusResource }) {
  const { totals, store, sharing, workers, parked } = status;
  const rows: readonly (readonly [string, string])[] = [
    ['coordinator', `${status.name} ${status.version}, up for ${spanText(status.nowUnixMs - status.startedAtUnixMs)}`],
    ['site', status.proxy],
    ['store', `${store.kind}, ${store.isReachable ? 'reachable' : (store.lastError ?? 'not reachable')}`],
    ...(sharing === undefined
      ? []
      : [
          [
            'shared memory',
            `${sharing.kind}, ${sharing.isReachable ? 'shared' : (sharing.lastError ?? 'not shared')}`,
          ] as const,
        ]),
    ['requests', `${countText(totals.requests)}, ${rateText(status.requestsPerSecond)}/s`],
    ['answers with 500 and above', countText(totals.failed)],
    ['retries', countText(totals.retries)],
    ['failovers', countText(totals.failovers)],
    ['no node available', countText(totals.unavailable)],
    [
      'parked',
      parked.requests === 0 ? '0' : `${countText(parked.requests)}, the oldest for ${spanText(parked.oldestMs)}`,
    ],
    ['in and out', `${bytes(totals.bytesIn)} and ${bytes(totals.bytesOut)}`],
  ];
  return (
    <>
      <dl class="facts">
        {rows.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h3>Workers</h3>
      <Scroll label="Workers">
        <table class="small">
          <thead>
            <tr>
              {['worker', 'pid', 'version', 'current', 'requests', 'in flight', 'connections', 'loop delay'].map(
                (head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {workers.map((worker) => (
              <tr key={worker.worker}>
                <th scope="row">{worker.worker}</th>
                <td class="number">{worker.pid}</td>
                <td>{worker.version}</td>
                <td>{worker.isCurrent ? 'yes' : 'no'}</td>
                <td class="number">{countText(worker.requests)}</td>
                <td class="number">{countText(worker.inFlight)}</td>
                <td class="number">{countText(worker.connections)}</td>
                <td class="number">{worker.loopDelayMs.toFixed(1)} ms</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}
