/** From what an application wrote to a checked registration. */
import type { Copies, Fault, NodeProcess, NodeRegistration, StickyHint } from '@rollcall/protocol';
import { decodeAgentMessage, isName } from '@rollcall/protocol';

/** What a node may say about itself. Everything has a default; names match `[A-Za-z0-9_-]{1,64}`. */
export interface NodeDescription {
  /** The set of nodes that serve the same application, default `default`. */
  readonly balancer?: string;
  /** Who the node is; default `<balancer>-<6 hex>` by host name, working directory and port. */
  readonly id?: string;
  /** The token in session ids that names this node, default the id. */
  readonly route?: string;
  /** Where proxy workers reach the node; default where the attached server listens (`announced-address.ts`). */
  readonly url?: string;
  /** 1–16 path prefixes, default `/`. */
  readonly contexts?: readonly string[];
  /** 1–16 host names, default `*`. */
  readonly hosts?: readonly string[];
  /** Multiplier of the node's share, 0.001–100, default 1. */
  readonly weight?: number;
  /** Nodes that share a failure domain. */
  readonly group?: string;
  /** The application's version, for people. */
  readonly version?: string;
  /** How long the node keeps an idle connection, in milliseconds; default what the attached server says. */
  readonly keepAliveMs?: number;
  /** Where clients may reach the node directly. */
  readonly publicUrl?: string;
  readonly sticky?: StickyHint;
  /** For people: at most 16 entries of at most 256 characters. */
  readonly meta?: Readonly<Record<string, string>>;
}

/** What the process knows beside what the application wrote. */
export interface RegistrationFacts {
  readonly id: string;
  readonly route: string;
  readonly url: string;
  readonly instance: string;
  readonly incarnation: number;
  /** For messages about this node. */
  readonly process?: NodeProcess;
  /** Probes of `url` reach this very program, which answers them with a proof. Default false. */
  readonly proves?: boolean;
  readonly cores?: number;
  readonly loadHeader?: boolean;
  readonly keepAliveMs?: number;
  /** Path that says whether the program is ready, for probes of programs that do not answer `OPTIONS *`. */
  readonly readyPath?: string;
  /** For wrappers. */
  readonly copies?: Copies;
}

/** The registration, checked with the coordinator's own rules, so that a mistake is found here and named. */
export function toRegistration(description: NodeDescription, facts: RegistrationFacts): NodeRegistration | Fault {
  const balancer = description.balancer ?? 'default';
  // Before the id, which may be made from it: the mistake is where the user wrote it.
  if (!isName(balancer)) return { code: 'bad-name', message: 'node.balancer is not [A-Za-z0-9_-]{1,64}' };
  const node = {
    ...description,
    ...facts,
    balancer,
    // The types promise a list, an untyped application may not keep to it.
    contexts: Array.isArray(description.contexts)
      ? description.contexts.map((path: string) => ({ path }))
      : description.contexts,
    keepAliveMs: description.keepAliveMs ?? facts.keepAliveMs,
  };
  const text = jsonOf({ type: 'register', node });
  if (text === undefined) return { code: 'bad-field', message: 'the options of the node are not plain data' };
  const message = decodeAgentMessage(text);
  if (message.type === 'malformed') return { code: message.code, message: message.message };
  if (message.type !== 'register') return { code: 'bad-message', message: 'not a registration' };
  return message.node;
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** `http://<address>:<port>`, with brackets around IPv6. */
export function nodeUrlText(address: string, port: number, isTls: boolean): string {
  return `${isTls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * `description` with what the environment says about this node on top: `ROLLCALL_NODE_ID` and `ROLLCALL_ROUTE`. They come
 * from `rollcall run`, whose flags are for this very process, so they take precedence. An empty variable is unset.
 */
export function withEnvironment(
  description: NodeDescription,
  environment: Readonly<Record<string, string | undefined>>,
): NodeDescription {
  const id = environment['ROLLCALL_NODE_ID'];
  const route = environment['ROLLCALL_ROUTE'];
  return { ...description, ...(id ? { id } : {}), ...(route ? { route } : {}) };
}
