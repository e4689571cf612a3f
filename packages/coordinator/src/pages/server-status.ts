/**
 * `/server-status` as Apache has it: a page for people, `?auto` in mod_status' keys for the monitors that read those,
 * `?json` for everything else, `?refresh=N` to come again every N seconds.
 */
import { isObject, type ScoreboardAnswer } from '@rollcall/protocol';
import type { AdminApp } from '../admin/admin-app.ts';
import { MAX_PAGE } from '../admin/paging.ts';
import { Refusal } from '../admin/refusal.ts';
import type { Surroundings } from '../admin/surroundings.ts';
import { statusResource } from '../status-resource.ts';
import { type AutoStatus, autoText } from './auto-text.ts';
import { PAGE_FIELDS } from './page-fields.ts';

export const SERVER_STATUS_PATH = '/server-status';
/** How long workers may take to tell who is connected, milliseconds. */
const SCOREBOARD_WITHIN_MS = 1_000;
const MAX_REFRESH_S = 3_600;

export function addServerStatus(app: AdminApp, around: Surroundings): void {
  const page = around.config.assets.get(SERVER_STATUS_PATH);
  const isPage = (query: unknown): boolean => page !== undefined && isObject(query) && !wantsData(query);
  app.get(
    SERVER_STATUS_PATH,
    { config: { role: 'viewer', isPage }, schema: { hide: true } },
    async (request, reply) => {
      const query = request.query as Readonly<Record<string, unknown>>;
      const refreshS = refreshOf(query['refresh']);
      if (refreshS !== undefined) reply.header('refresh', String(refreshS));
      if (query['auto'] !== undefined)
        return reply.type('text/plain; charset=utf-8').send(autoText(await collect(around)));
      if (wantsData(query) || !page) return collect(around);
      return reply.headers(PAGE_FIELDS).type(page.type).send(page.body);
    },
  );
}

function wantsData(query: Readonly<Record<string, unknown>>): boolean {
  return query['auto'] !== undefined || query['json'] !== undefined;
}

async function collect(around: Surroundings): Promise<AutoStatus> {
  const { cluster, feed } = around;
  const answers = await feed.askAll({ type: 'scoreboard' }, SCOREBOARD_WITHIN_MS);
  const connections: ScoreboardAnswer['connections'][number][] = [];
  for (const answer of answers) if (answer.type === 'scoreboard') connections.push(...answer.connections);
  return {
    status: statusResource(around),
    balancers: cluster.balancers(),
    nodes: cluster.page({ after: undefined, limit: MAX_PAGE, isWanted: ({ liveness }) => liveness !== 'gone' }).nodes,
    connections,
  };
}

/** Apache's `?refresh` without a number means every second. */
function refreshOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (value === '') return 1;
  const seconds = Number(value);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_REFRESH_S) return seconds;
  throw new Refusal({ code: 'bad-field', message: `refresh is not a number of seconds from 1 to ${MAX_REFRESH_S}` });
}
