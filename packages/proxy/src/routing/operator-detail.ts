/** The cause and the remedy of an error answer, for operators on this machine. Other clients get neither. */
import type { ContextPath, HostPattern } from '@rollcall/protocol';
import type { UpstreamNode } from '../engine/router.ts';

/** Contexts that one sentence names. */
const MAX_NAMED = 3;
const JOINING_ADVICE = 'to do: wait, or see rollcall nodes and the log of that node';

export interface FailedRequest {
  readonly status: number;
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
export function operatorDetail({ status, why, joining, limit, node, contexts }: FailedRequest): string {
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
