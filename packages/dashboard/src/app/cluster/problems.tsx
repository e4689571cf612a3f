/** One card for each problem, the gravest first. Work in progress of operators follows in one line each. */
import type { Verdict } from '@rollcall/protocol';
import { targetText } from '../../model/act-requests.ts';
import type { Act } from '../../model/commands.ts';
import { type ProblemCard, problemCards } from '../../model/problem-cards.ts';
import { clockText, fullTimeText, spanText } from '../../model/times.ts';
import { CopyText } from '../frame/copy-text.tsx';
import { Mark } from '../frame/mark.tsx';
import { canAct, clusterMs, dialog, go, isLive, isUtc } from '../state.ts';

/** Cards that are open at once; the rest is behind a button. */
const MAX_CARDS = 6;

const LEVELS = { outage: 'Outage', harm: 'Users affected', risk: 'At risk', planned: 'Planned' } as const;

export function Problems({ verdict }: { readonly verdict: Verdict }) {
  const { cards, planned } = problemCards(verdict);
  return (
    <>
      {cards.length > 0 && (
        <section class="problems" aria-labelledby="problems">
          <h2 id="problems">Problems</h2>
          {cards.slice(0, MAX_CARDS).map((card) => (
            <Card key={card.key} card={card} />
          ))}
          {cards.length > MAX_CARDS && (
            <details class="panel">
              <summary>{cards.length - MAX_CARDS} more problems</summary>
              {cards.slice(MAX_CARDS).map((card) => (
                <Card key={card.key} card={card} />
              ))}
            </details>
          )}
        </section>
      )}
      {planned.length > 0 && (
        <ul class="planned" aria-label="Planned work">
          {planned.slice(0, MAX_CARDS).map(({ key, cause }) => (
            <li key={key}>
              <Mark tone="planned" /> {cause}
            </li>
          ))}
          {planned.length > MAX_CARDS && <li>and {planned.length - MAX_CARDS} more</li>}
        </ul>
      )}
    </>
  );
}

function Card({ card }: { readonly card: ProblemCard }) {
  const { level, cause, effect, remedy, sinceMs, commands, act, nodes } = card;
  return (
    <article class={`card tone-${level}`}>
      <p class="card-level">
        <Mark tone={level} /> {LEVELS[level]}
        {sinceMs !== undefined && (
          <time class="since" title={fullTimeText(sinceMs, isUtc.value)}>
            since {clockText(sinceMs, clusterMs.value, isUtc.value)}, {spanText(clusterMs.value - sinceMs)}
          </time>
        )}
      </p>
      <h3>{cause}</h3>
      {effect !== '' && <p class="effect">{effect}</p>}
      {remedy !== '' && <p class="remedy">{remedy}</p>}
      <div class="card-foot">
        {act !== undefined && canAct.value && (
          <button type="button" class="primary" disabled={!isLive.value} onClick={() => openAct(act)}>
            {buttonText(act)}
          </button>
        )}
        {nodes.length === 1 && (
          <button type="button" onClick={() => go({ view: 'node', node: nodes[0]! })}>
            Look at {nodes[0]}
          </button>
        )}
        {commands.map((command) => (
          <CopyText key={command} text={command} />
        ))}
      </div>
    </article>
  );
}

function openAct(act: Act): void {
  dialog.value = { type: 'act', act };
}

function buttonText(act: Act): string {
  return `${act.verb.charAt(0).toUpperCase()}${act.verb.slice(1)} ${targetText(act)}`;
}
