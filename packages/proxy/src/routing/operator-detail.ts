/** The cause and the remedy of an error answer, for operators on this machine. Other clients get neither. */
import type { ContextPath, HostPattern } from '@rollcall/protocol';
import type { UpstreamNode } from '../engine/router.ts';

/** Contexts that one sentence names. */
const MAX_NAMED = 3;
const PATH_ADVICE = {
  excluded: 'see --exclude of rollcall up',
  ambiguous: 'send the path without %, //, dot segments and ;',
} as const;
const JOINING_ADVICE = 'to do: wait, or see rollcall nodes and the log of that node';

export interface FailedRequest {
  readonly status: number;
  readonly refusedPath?: 'excluded' | 'ambiguous' | undefined;
  /** Why no node was chosen. */
  readonly because: string;
  /** Cause and remedy of a context without an eligible node; `''` if it is unknown. */
  readonly why: string;
  /** A joining node that the request waits for, in a sentence; `''` without one. */
  readonly joining: string;
  /** The limit that ended the request, like `upstream-timeout 30s`; `undefined` if none did. */
  readonly limit?: string | undefined;
  /** The last node that was tried. */
  readonly node: Pick<UpstreamNode, 'id' | 'authority'> | undefined;
  readonly contexts: readonly { readonly host: HostPattern; readonly path: ContextPath }[];
}

/** One sentence without a full stop; `''` for a status that needs none. */
export function operatorDetail(failed: FailedRequest): string {
  const { status, refusedPath, because, why, joining, limit, node, contexts } = failed;
  if (refusedPath !== undefined) return `${because}; to do: ${PATH_ADVICE[refusedPath]}`;
  switch (status) {
    case 404:
      if (joining !== '') return `${joining}; ${JOINING_ADVICE}`;
      return `no context matches host and path; served: ${placesText(contexts)}; to do: rollcall run --balancer NAME --context PATH -- COMMAND`;
    case 502:
    case 504:
      return node === undefined
        ? ''
        : `node ${node.id} at ${node.authority} ${status === 502 ? 'gave no complete answer' : 'did not answer in time'}${limit === undefined ? '' : `, limit: ${limit}`}; to do: read its log, and see rollcall nodes`;
    case 503:
      if (joining !== '') return `${joining}; ${JOINING_ADVICE}`;
      if (why !== '') return why;
      return contexts.length === 0
        ? 'no node is up; to do: start one with rollcall run -- COMMAND, or wait: a program of rollcall run registers when it accepts connections'
        : 'no node may take this request; to do: see rollcall status and rollcall explain';
    default:
      return '';
  }
}

function placesText(contexts: FailedRequest['contexts']): string {
  const named = contexts.slice(0, MAX_NAMED).map(({ host, path }) => `${path} on ${host}`);
  const more = contexts.length - MAX_NAMED;
  return `${named.join(', ') || 'nothing'}${more > 0 ? ` and ${more} more` : ''}`;
}
