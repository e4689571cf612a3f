import { apache } from './apache.ts';
import { caddy } from './caddy.ts';
import type { Contender } from './contender.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { nodePeer } from './node-peer.ts';
import { rollcall } from './rollcall.ts';

/** Names in the order of tables; ours comes first, so that a run of a few seconds begins with it. */
export const CONTENDER_NAMES: readonly string[] = [
  'rollcall',
  'nginx',
  'haproxy',
  'apache',
  'caddy',
  'undici',
  'fastify-http-proxy',
  'httpxy',
  'http-proxy',
];

/** Those that `--full` compares when none are named. */
export const FULL_NAMES: readonly string[] = ['rollcall', 'nginx', 'haproxy', 'apache', 'http-proxy'];

/** What ratios refer to: the first that takes part. */
export const REFERENCES: readonly string[] = ['nginx', 'haproxy', 'undici'];

/** Everything that can be compared. `node`: the Node that ours and the libraries for Node run under. */
export function allContenders(root: string, node: string): readonly Contender[] {
  return [
    rollcall({ name: 'rollcall', root, node }),
    nginx,
    haproxy,
    apache,
    caddy,
    nodePeer('undici', 'undici', 'undici', node),
    nodePeer('fastify-http-proxy', 'fastify-http-proxy', '@fastify/http-proxy', node),
    nodePeer('httpxy', 'httpxy', 'httpxy', node),
    nodePeer('http-proxy', 'http-proxy', 'http-proxy', node),
  ];
}
