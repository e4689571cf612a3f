import { apacheBalancer } from './apache-balancer.ts';
import type { Balancer } from './balancer.ts';
import { haproxyBalancer } from './haproxy-balancer.ts';
import { nginxBalancer } from './nginx-balancer.ts';
import { rollcallBalancer } from './rollcall-balancer.ts';

/** Ours with its defaults: ratios are its figures by another's. */
export const OURS = 'rollcall';

const OUR_ALGORITHMS: readonly string[] = ['least-connections', 'power-of-two', 'round-robin', 'modcluster'];

/** Names in the order of tables. */
export const BALANCER_NAMES: readonly string[] = [
  OURS,
  ...OUR_ALGORITHMS.map((algorithm) => `${OURS}-${algorithm}`),
  'haproxy-leastconn',
  'haproxy-random',
  'haproxy-agent',
  'nginx-least-conn',
  'apache-byrequests',
  'apache-bybusyness',
];

/** Everything that can take part. `node`: the Node that ours runs under; `workers`: how many ours has. */
export function allBalancers(root: string, node: string, workers: number): readonly Balancer[] {
  const ours = (name: string, algorithm?: string): Balancer =>
    rollcallBalancer({ name, algorithm, workers, root, node });
  return [
    ours(OURS),
    ...OUR_ALGORITHMS.map((algorithm) => ours(`${OURS}-${algorithm}`, algorithm)),
    haproxyBalancer({ name: 'haproxy-leastconn', balance: 'leastconn', hasAgentChecks: false }),
    haproxyBalancer({ name: 'haproxy-random', balance: 'random(2)', hasAgentChecks: false }),
    haproxyBalancer({ name: 'haproxy-agent', balance: 'roundrobin', hasAgentChecks: true }),
    nginxBalancer(),
    apacheBalancer('apache-byrequests', 'byrequests'),
    apacheBalancer('apache-bybusyness', 'bybusyness'),
  ];
}
