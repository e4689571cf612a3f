/**
 * `/server-status` as in Apache: a page for people. With `?auto` it has the keys of mod_status for monitors, with `?json` JSON for
 * other programs. `?refresh=N` reloads the page every N seconds.
 */
import type { ScoreboardAnswer } from '@rollcall/feed';
import { isObject } from '@rollcall/protocol';
import type { AdminApp } from '../admin/admin-app.ts';
import type { Dependencies } from '../admin/dependencies.ts';
import { MAX_PAGE } from '../admin/paging.ts';
import { Refusal } from '../admin/refusal.ts';
import { statusResource } from '../status-resource.ts';
import { type AutoStatus, autoText } from './auto-text.ts';
import { PAGE_FIELDS } from './page-fields.ts';

export const SERVER_STATUS_PATH = '/server-status';
/** Time limit for the list of connections from the workers, milliseconds. */
const SCOREBOARD_WITHIN_MS = 1_000;
const MAX_REFRESH_S = 3_600;

export function addServerStatus(app: AdminApp, dependencies: Dependencies): void {
  const page = dependencies.config.assets.get(SERVER_STATUS_PATH);
  const isPage = (query: unknown): boolean => page !== undefined && isObject(query) && !wantsData(query);
  app.get(
    SERVER_STATUS_PATH,
    { config: { role: 'viewer', isPage }, schema: { hide: true } },
    async (request, reply) => {
      const query = request.query as Readonly<Record<string, unknown>>;
      const refreshS = refreshOf(query['refresh']);
      if (refreshS !== undefined) reply.header('refresh', String(refreshS));
      if (query['auto'] !== undefined)
        return reply.type('text/plain; charset=utf-8').send(autoText(await collect(dependencies)));
      if (wantsData(query) || !page) return collect(dependencies);
      return reply.headers(PAGE_FIELDS).type(page.type).send(page.body);
    },
  );
}

function wantsData(query: Readonly<Record<string, unknown>>): boolean {
  return query['auto'] !== undefined || query['json'] !== undefined;
}

async function collect(dependencies: Dependencies): Promise<AutoStatus> {
  const { cluster, feed } = dependencies;
  const answers = await feed.askAll({ type: 'scoreboard' }, SCOREBOARD_WITHIN_MS);
  const connections: ScoreboardAnswer['connections'][number][] = [];
  for (const answer of answers) if (answer.type === 'scoreboard') connections.push(...answer.connections);
  return {
    status: statusResource(dependencies),
    balancers: cluster.balancers(),
    nodes: cluster.page({ after: undefined, limit: MAX_PAGE, isWanted: ({ liveness }) => liveness !== 'gone' }).nodes,
    connections,
  };
}

/** In Apache `?refresh` without a number means every second. */
function refreshOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (value === '') return 1;
  const seconds = Number(value);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_REFRESH_S) return seconds;
  throw new Refusal({ code: 'bad-field', message: `refresh is not a number of seconds from 1 to ${MAX_REFRESH_S}` });
}
