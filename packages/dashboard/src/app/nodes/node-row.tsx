/** One node of the table. */
import { countText, errorText, latencyText, rateText } from '../../model/figures.ts';
import type { ListedNode } from '../../model/node-list.ts';
import { busyPercent } from '../../model/node-state.ts';
import { isFailing, isSlow } from '../../model/peers.ts';
import { hrefOf } from '../../model/place.ts';
import { Mark } from '../frame/mark.tsx';
import { canAct, current, go, place, selected, toggle } from '../state.ts';
import { RowActs } from './row-acts.tsx';

export function NodeRowView({ row, index }: { readonly row: ListedNode; readonly index: number }) {
  const { id, node, state, peers } = row;
  const { rates } = node;
  const busy = busyPercent(node);
  const isSelected = selected.value.has(id);
  const classes = ['node-row', ...(current.value === id ? ['current'] : []), ...(isSelected ? ['selected'] : [])];
  return (
    <tr
      class={classes.join(' ')}
      data-node={id}
      aria-rowindex={index}
      onFocusCapture={() => {
        current.value = id;
      }}
    >
      {canAct.value && (
        <td class="cell-select">
          <input type="checkbox" aria-label={`Select ${id}`} checked={isSelected} onChange={() => toggle(id)} />
        </td>
      )}
      <th scope="row" class="cell-name">
        <a
          href={hrefOf({ ...place.value, view: 'node', node: id })}
          onClick={(click) => {
            click.preventDefault();
            go({ view: 'node', node: id });
          }}
        >
          {id}
        </a>
        <small title={node.url}>{node.url.replace(/^https?:\/\//, '')}</small>
      </th>
      <td class={`cell-state tone-text-${state.tone}`} title={`${state.word} ${state.detail}`.trim()}>
        <span class="state-word">
          <Mark tone={state.tone} /> {state.word}
        </span>
        {state.detail !== '' && <small>{state.detail}</small>}
      </td>
      <td class="cell-load number">
        {busy === undefined ? <span class="quiet">–</span> : `${busy} %`}
        <span class="load-bar" aria-hidden="true">
          <span style={{ width: `${busy ?? 0}%` }} />
        </span>
      </td>
      <td class="cell-sessions number" title={`${node.sessionsSeenOnce} more seen once`}>
        {countText(node.sessions)}
      </td>
      <td class="cell-inFlight number">{countText(node.inFlight)}</td>
      <td class="cell-requests number">{rateText(rates.requestsPerSecond)}</td>
      <td class={`cell-errors number${isFailing(node, peers) ? ' differs' : ''}`}>{errorText(rates)}</td>
      <td class={`cell-latency number${isSlow(node, peers) ? ' differs' : ''}`}>{latencyText(node.latencyMs)}</td>
      <td class="cell-version" title={[node.version, node.group].filter(Boolean).join(', ')}>
        {node.version ?? ''}
        {node.group !== undefined && <small>{node.group}</small>}
      </td>
      <td class="cell-acts">
        <RowActs id={id} node={node} />
      </td>
    </tr>
  );
}
