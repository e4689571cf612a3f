/** The nodes with their search, grouping and table. */
import { plural } from '../../model/figures.ts';
import { GROUPINGS, type Grouping, SORT_WORDS, SORTS, type Sort } from '../../model/place.ts';
import { go, listed, live, place } from '../state.ts';
import { NodeTable } from './node-table.tsx';

const GROUPING_WORDS: Readonly<Record<Grouping, string>> = {
  none: 'not grouped',
  balancer: 'by balancer',
  group: 'by group',
  host: 'by host',
  version: 'by version',
};

export function NodeSection() {
  const { query, grouping, balancer, sort } = place.value;
  const rows = listed.value;
  const count = rows.reduce((sum, row) => sum + Number(row.type === 'node'), 0);
  const all = Object.keys(live.value.cluster?.nodes ?? {}).length;
  return (
    <section id="nodes" tabIndex={-1} aria-label="Nodes">
      <div class="section-head">
        <h2>Nodes{balancer === undefined ? '' : ` of ${balancer}`}</h2>
        <span class="quiet">{count === all ? plural(all, 'node') : `${count} of ${plural(all, 'node')}`}</span>
        {balancer !== undefined && (
          <button type="button" onClick={() => go({ balancer: undefined })}>
            Show all
          </button>
        )}
        <span class="tools">
          <input
            id="search"
            type="search"
            placeholder="Search:  b2 ejected v1.4"
            aria-label="Search nodes"
            value={query}
            onInput={(input) => go({ query: input.currentTarget.value }, false)}
          />
          <select
            aria-label="Group nodes"
            value={grouping}
            onChange={(change) => go({ grouping: change.currentTarget.value as Grouping }, false)}
          >
            {GROUPINGS.map((name) => (
              <option key={name} value={name}>
                {GROUPING_WORDS[name]}
              </option>
            ))}
          </select>
          <select
            class="only-narrow"
            aria-label="Sort nodes"
            value={sort}
            onChange={(change) => go({ sort: change.currentTarget.value as Sort }, false)}
          >
            {SORTS.map((name) => (
              <option key={name} value={name}>
                sort: {SORT_WORDS[name]}
              </option>
            ))}
          </select>
        </span>
      </div>
      {count === 0 ? <p class="panel quiet">No node matches the search.</p> : <NodeTable rows={rows} />}
    </section>
  );
}
