import { apache } from './apache.ts';
import { caddy } from './caddy.ts';
import type { Contender } from './contender.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { nodePeer } from './node-peer.ts';
import { rollcall } from './rollcall.ts';

/** Names in the order of tables. Rollcall is first, so that a short run begins with it. */
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

/** Contenders that `--full` compares by default. */
export const FULL_NAMES: readonly string[] = ['rollcall', 'nginx', 'haproxy', 'apache', 'http-proxy'];

/** Contenders to which ratios refer: the first one that takes part. */
export const REFERENCES: readonly string[] = ['nginx', 'haproxy', 'undici'];

/** All contenders. `node` is the path of the Node that runs Rollcall and the libraries for Node. */
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
