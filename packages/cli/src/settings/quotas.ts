/** Parser and help of `--quota NAME=N`, the quotas of the coordinator. */
import { MAX_QUOTA, QUOTA_DEFAULTS, type QuotaName } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';

const HELP: Readonly<Record<QuotaName, string>> = {
  nodes: 'most nodes of one token',
  'tokenless-nodes': 'most nodes of all peers without a token',
  balancers: 'most balancers created with one token',
  'balancer-hosts': 'most distinct hosts of one balancer',
  'balancer-contexts': 'most distinct contexts of one balancer; each path on each host counts',
  registrations: 'registrations of one node per minute, after a burst of twice as many; further ones are delayed',
  'tokenless-connections': 'most agent connections without a token from one address',
};

/** The quotas that `texts` set; later texts override earlier ones. Throws a usage failure for an invalid quota. */
export function quotasFrom(texts: readonly string[]): Partial<Record<QuotaName, number>> {
  const quotas: Partial<Record<QuotaName, number>> = {};
  for (const text of texts) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
    if (name === '') throw usage(`--quota ${text}: write NAME=N, like nodes=10000`);
    if (!isQuota(name)) throw usage(`--quota: unknown quota ${name}${nearest(name, Object.keys(HELP))}`);
    const number = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= 1 && number <= MAX_QUOTA))
      throw usage(`--quota ${text}: ${value} is not a whole number from 1 to ${MAX_QUOTA}`);
    quotas[name] = number;
  }
  return quotas;
}

/** All quotas with their defaults, for `--help`. */
export function quotasHelp(): string {
  const width = Math.max(...Object.keys(HELP).map((name) => name.length)) + 2;
  const lines = Object.entries(HELP).map(
    ([name, help]) => `  ${name.padEnd(width)}${String(QUOTA_DEFAULTS[name as QuotaName]).padEnd(6)}${help}`,
  );
  return `Quotas, with their defaults (--quota nodes=10000 balancers=200):\n${lines.join('\n')}`;
}

function isQuota(name: string): name is QuotaName {
  return Object.hasOwn(HELP, name);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
