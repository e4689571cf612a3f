/** What has happened, the newest first. */
import type { EventResource } from '@rollcall/protocol';
import { clockText, fullTimeText } from '../../model/times.ts';
import { api } from '../admin-call.ts';
import { clusterMs, go, isUtc } from '../state.ts';
import { usePolled } from './polled.ts';
import { Trouble } from './trouble.tsx';

const MAX_EVENTS = 200;

export function EventsView() {
  return (
    <section class="view">
      <h2>Events</h2>
      <EventList />
    </section>
  );
}

/** The last events of the cluster, or of one node. */
export function EventList({ node }: { readonly node?: string }) {
  const { answer, trouble } = usePolled(`events ${node ?? ''}`, () =>
    api.call('listEvents', { query: { limit: MAX_EVENTS, ...(node !== undefined && { node }) } }),
  );
  if (answer === undefined) return <Trouble text={trouble} />;
  const events = answer.events.toReversed();
  return (
    <>
      <Trouble text={trouble} />
      {events.length === 0 && <p class="quiet">No events.</p>}
      <ol class="events" reversed>
        {events.map((event) => (
          <EventLine key={event.id} event={event} />
        ))}
      </ol>
    </>
  );
}

function EventLine({ event }: { readonly event: EventResource }) {
  const { atUnixMs, message, by, node } = event;
  return (
    <li>
      <time dateTime={new Date(atUnixMs).toISOString()} title={fullTimeText(atUnixMs, isUtc.value)}>
        {clockText(atUnixMs, clusterMs.value, isUtc.value)}
      </time>
      <span>
        {message}
        {by !== undefined && !message.includes(by) && <span class="quiet"> by {by}</span>}
        {node !== undefined && (
          <button
            type="button"
            class="link"
            aria-label={`Open node ${node}`}
            onClick={() => go({ view: 'node', node })}
          >
            open
          </button>
        )}
      </span>
    </li>
  );
}
