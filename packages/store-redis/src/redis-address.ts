/**
 * Addresses of Redis as operators write them:
 *
 * ```
 * redis://[USER:PASSWORD@]HOST[:PORT][/DB]
 * redis-sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT][/DB][?sentinel-password=PASSWORD]#MASTER
 * redis-cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]
 * ```
 *
 * With TLS: `rediss`, `rediss-sentinel`, `rediss-cluster`. User and password are percent-encoded.
 */
import { isIPv6 } from 'node:net';
import { printableUrl } from '@rollcall/protocol';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface RedisAddress {
  readonly type: 'single' | 'sentinel' | 'cluster';
  /** Redis itself, the Sentinels, or some nodes of the Cluster. At least one. */
  readonly hosts: readonly HostPort[];
  readonly hasTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  /** Name of the master at the Sentinels; empty for other types. */
  readonly master: string;
  /** Password of the Sentinels themselves. */
  readonly sentinelPassword: string | undefined;
}

const REDIS_PORT = 6_379;
const SENTINEL_PORT = 26_379;
const MAX_HOSTS = 32;
const MAX_DB = 65_535;

const FORMS: Readonly<Record<RedisAddress['type'], string>> = {
  single: 'redis://[USER:PASSWORD@]HOST:PORT[/DB]',
  sentinel: 'redis-sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT[/DB]#MASTER',
  cluster: 'redis-cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT',
};

/** True for texts with a scheme of Redis, also if the rest is invalid. */
export function isRedisAddress(text: string): boolean {
  return SCHEME.test(text);
}

const SCHEME = /^redis(s?)(?:-(sentinel|cluster))?:\/\//i;
const REST = /^(?:([^/?#]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(?:#(.*))?$/s;

/** Throws a RangeError with the right form for a text that is no address. The message contains no password. */
export function parseRedisAddress(text: string): RedisAddress {
  const [start, secure = '', kind = 'single'] = SCHEME.exec(text) ?? [];
  const type = kind.toLowerCase() as RedisAddress['type'];
  const refuse = (reason: string): never => {
    const forms = start === undefined ? Object.values(FORMS).join(' or ') : FORMS[type];
    throw new RangeError(`the address ${printableUrl(text)} ${reason}; right is ${forms}`);
  };
  if (start === undefined) return refuse('has no scheme of redis');
  const parts = REST.exec(text.slice(start.length));
  if (parts === null) return refuse('has an @ after the host');
  const [, login, hostList = '', path = '', query, fragment = ''] = parts;

  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      return refuse('has a user or password that is not percent-encoded');
    }
  };
  const colon = login?.indexOf(':') ?? -1;
  const user = login === undefined ? '' : decoded(colon < 0 ? login : login.slice(0, colon));
  const password = login === undefined || colon < 0 ? '' : decoded(login.slice(colon + 1));
  if (user !== '' && password === '') refuse('has a user without a password');

  const names = hostList.split(',');
  if (type === 'single' && names.length > 1)
    refuse('has several hosts, which need redis-sentinel:// or redis-cluster://');
  if (names.length > MAX_HOSTS) refuse(`has more than ${MAX_HOSTS} hosts`);
  const hosts = names.map((name) => {
    const host = hostPort(name, type === 'sentinel' ? SENTINEL_PORT : REDIS_PORT);
    return host ?? refuse(name === '' ? 'has no host' : `has the invalid host ${JSON.stringify(name.slice(0, 64))}`);
  });

  const db = path === '' ? 0 : /^\d{1,5}$/.test(path) ? Number(path) : Number.NaN;
  if (!(db <= MAX_DB)) refuse('has a path that is no number of a database; in a password / is written %2F, and @ %40');
  if (type === 'cluster' && db !== 0) refuse('has a database, and a Redis Cluster has only database 0');

  const master = decoded(fragment);
  if (type === 'sentinel' && master === '') refuse('has no name of the master');
  if (type !== 'sentinel' && master !== '') refuse('has the name of a master, which needs redis-sentinel://');

  const fields = new URLSearchParams(query);
  for (const name of fields.keys())
    if (type !== 'sentinel' || name !== 'sentinel-password') refuse(`has the unknown parameter ${name.slice(0, 32)}`);
  return {
    type,
    hosts,
    hasTls: secure !== '',
    user: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
    db,
    master,
    sentinelPassword: fields.get('sentinel-password') ?? undefined,
  };
}

function hostPort(text: string, defaultPort: number): HostPort | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || (v6 !== undefined && !isIPv6(v6)) || number < 1 || number > 65_535) return undefined;
  return { host, port: number };
}
