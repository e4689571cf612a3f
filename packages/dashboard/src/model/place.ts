/** What the page shows, as an address: reload, back and a shared link show the same. */

export const VIEWS = ['cluster', 'drains', 'events', 'requests', 'node'] as const;
export type View = (typeof VIEWS)[number];

export const SORTS = [
  'state',
  'name',
  'load',
  'sessions',
  'inFlight',
  'requests',
  'errors',
  'latency',
  'version',
] as const;
export type Sort = (typeof SORTS)[number];

/** Column headings. */
export const SORT_WORDS: Readonly<Record<Sort, string>> = {
  state: 'state',
  name: 'name',
  load: 'busy',
  sessions: 'sessions',
  inFlight: 'in flight',
  requests: 'req/s',
  errors: 'errors',
  latency: 'latency',
  version: 'version',
};

export const GROUPINGS = ['none', 'balancer', 'group', 'host', 'version'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface Place {
  readonly view: View;
  /** Words that a node must match. */
  readonly query: string;
  readonly sort: Sort;
  readonly isDescending: boolean;
  readonly grouping: Grouping;
  /** Only this balancer. */
  readonly balancer?: string | undefined;
  /** Node of the view `node`. */
  readonly node?: string | undefined;
  /** Period of the events, Unix milliseconds. */
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

export const HOME: Place = { view: 'cluster', query: '', sort: 'name', isDescending: false, grouping: 'balancer' };

const CLUSTER_PATH = '/balancer-manager';
const REQUESTS_PATH = '/server-status';
const MAX_TEXT = 200;

/** The place of a URL. Values that are unknown count as absent. */
export function placeOf(path: string, search: string): Place {
  const fields = new URLSearchParams(search);
  const text = (name: string): string => (fields.get(name) ?? '').slice(0, MAX_TEXT);
  const node = text('node');
  const balancer = text('balancer');
  const fromMs = instant(fields.get('from'));
  const untilMs = instant(fields.get('until'));
  return {
    view: path === REQUESTS_PATH ? 'requests' : oneOf(VIEWS, fields.get('view'), HOME.view),
    query: text('q'),
    sort: oneOf(SORTS, fields.get('sort'), HOME.sort),
    isDescending: fields.get('desc') === '1',
    grouping: oneOf(GROUPINGS, fields.get('group'), HOME.grouping),
    ...(balancer !== '' && { balancer }),
    ...(node !== '' && { node }),
    ...(fromMs !== undefined && { fromMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

/** Path and query of a place; defaults are left out. */
export function hrefOf(place: Place): string {
  const fields = new URLSearchParams();
  if (place.view !== 'cluster' && place.view !== 'requests') fields.set('view', place.view);
  if (place.query !== '') fields.set('q', place.query);
  if (place.sort !== HOME.sort) fields.set('sort', place.sort);
  if (place.isDescending) fields.set('desc', '1');
  if (place.grouping !== HOME.grouping) fields.set('group', place.grouping);
  if (place.balancer !== undefined) fields.set('balancer', place.balancer);
  if (place.node !== undefined) fields.set('node', place.node);
  if (place.fromMs !== undefined) fields.set('from', String(place.fromMs));
  if (place.untilMs !== undefined) fields.set('until', String(place.untilMs));
  const query = fields.toString();
  return `${place.view === 'requests' ? REQUESTS_PATH : CLUSTER_PATH}${query === '' ? '' : `?${query}`}`;
}

function oneOf<Name extends string>(names: readonly Name[], name: string | null, otherwise: Name): Name {
  return names.find((one) => one === name) ?? otherwise;
}

function instant(text: string | null): number | undefined {
  const value = Number(text ?? '');
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
