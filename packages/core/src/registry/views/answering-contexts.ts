/** Which context gets the requests of a context that workers do not know: one that no node has served yet, or not for ten minutes. */
import type { BalancerName, ContextPath, HostPattern } from '@rollcall/protocol';
import { contextKey, type HostedContext, hostedContexts } from '../../contexts/hosted-context.ts';
import { isInFeed } from '../node/node-status.ts';
import type { RegistryState } from '../registry-state.ts';

export interface AnsweringContext extends HostedContext {
  readonly balancer: BalancerName;
}

/** The contexts that workers know: those of nodes in the feed, and the remembered ones, which they answer with 503. */
export class AnsweringContexts {
  readonly #contexts = new Map<string, AnsweringContext>();

  constructor({ nodes, remembered }: RegistryState) {
    for (const { host, path, balancer } of remembered.all()) this.#add({ host, path, balancer });
    for (const { liveness, registration } of nodes.all()) {
      if (!isInFeed(liveness)) continue;
      const { balancer } = registration;
      for (const { host, path } of hostedContexts(registration)) this.#add({ host, path, balancer });
    }
  }

  /** The context that gets the requests of `context`, by the order of hosts and paths in `ContextTable`; `undefined` if it is itself, or none. */
  instead(context: HostedContext): AnsweringContext | undefined {
    if (this.#contexts.has(contextKey(context))) return undefined;
    for (const host of hostsFor(context.host))
      for (const path of pathsFor(context.path)) {
        const found = this.#contexts.get(contextKey({ host, path }));
        if (found !== undefined) return found;
      }
    return undefined;
  }

  #add(context: AnsweringContext): void {
    this.#contexts.set(contextKey(context), context);
  }
}

/** `a.b.c`, `*.b.c`, `*.c`, `*`. */
function* hostsFor(host: HostPattern): Iterable<HostPattern> {
  yield host;
  for (let dot = host.indexOf('.', host.startsWith('*.') ? 2 : 0); dot >= 0; dot = host.indexOf('.', dot + 1))
    yield `*${host.slice(dot)}` as HostPattern;
  if (host !== '*') yield '*' as HostPattern;
}

/** `/a/b`, `/a`, `/`. */
function* pathsFor(path: ContextPath): Iterable<ContextPath> {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end) as ContextPath;
  if (path !== '/') yield '/' as ContextPath;
}
