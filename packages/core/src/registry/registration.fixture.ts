/** A registration of an agent, for tests. */
import {
  parseBalancerName,
  parseContextPath,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import type { RegisterCommand } from './commands.ts';

export interface RegistrationFixture {
  readonly id: string;
  /** Default: the id. */
  readonly route?: string;
  /** Default: `http://10.0.0.1:80`. */
  readonly url?: string;
  readonly connection: number;
  /** Default: 32 times `a`. */
  readonly instance?: string;
  /** Default: 1. */
  readonly incarnation?: number;
  /** Default: the id. */
  readonly balancer?: string;
  /** Default: `/`. */
  readonly paths?: readonly string[];
  /** Default: `*`. */
  readonly host?: string;
}

export function registerCommand({
  id,
  route = id,
  url = 'http://10.0.0.1:80',
  connection,
  instance = 'a'.repeat(32),
  incarnation = 1,
  balancer = id,
  paths = ['/'],
  host = '*',
}: RegistrationFixture): RegisterCommand {
  return {
    type: 'register',
    node: {
      id: parseNodeId(id)!,
      balancer: parseBalancerName(balancer)!,
      url: parseNodeUrl(url)!,
      route: parseRoute(route)!,
      contexts: paths.map((path) => ({ path: parseContextPath(path)! })),
      hosts: [parseHostPattern(host)!],
      weight: 1,
      loadHeader: false,
      meta: {},
      incarnation,
      instance,
    },
    connection,
    owner: 'join',
    kind: 'agent',
  };
}
