/** What an operator on this machine reads in an error answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { parseContextPath, parseHostPattern } from '@rollcall/protocol';
import { type FailedRequest, operatorDetail } from './operator-detail.ts';

const place = (path: string) => ({ host: parseHostPattern('*')!, path: parseContextPath(path)! });
const NODE = { id: 'n1' as NodeId, authority: '127.0.0.1:3000' };

const CASES: readonly [failed: Partial<FailedRequest> & Pick<FailedRequest, 'status'>, detail: RegExp][] = [
  [{ status: 404, contexts: [place('/a')] }, /served: \/a on \*; to do: rollcall run --balancer NAME --context PATH/],
  [
    { status: 404, contexts: ['/a', '/b', '/c', '/d'].map(place) },
    /served: \/a on \*, \/b on \*, \/c on \* and 1 more;/,
  ],
  [{ status: 502, node: NODE }, /^node n1 at 127\.0\.0\.1:3000 gave no complete answer; to do: read its log/],
  [{ status: 504, node: NODE }, /^node n1 at 127\.0\.0\.1:3000 did not answer in time; to do: read its log/],
  [
    { status: 504, node: NODE, limit: 'upstream-timeout 30s (path /reports)' },
    /did not answer in time, limit: upstream-timeout 30s \(path \/reports\); to do: read its log/,
  ],
  [{ status: 502, node: NODE, limit: 'head-size 65536' }, /gave no complete answer, limit: head-size 65536; to do/],
  [{ status: 502 }, /^$/],
  [{ status: 503, why: 'all drained; to do: enable one', contexts: [place('/')] }, /^all drained; to do: enable one$/],
  [{ status: 503 }, /^no node is up; to do: start one with rollcall run/],
  [{ status: 503, contexts: [place('/')] }, /^no node may take this request; to do: see rollcall status/],
  [{ status: 404, joining: 'node n1 is joining' }, /^node n1 is joining; to do: wait, or see rollcall nodes/],
  [{ status: 503, joining: 'node n1 is joining', why: 'n0 was removed' }, /^node n1 is joining; to do: wait/],
  [{ status: 502, joining: 'node n1 is joining' }, /^$/],
  [{ status: 400, because: 'new session' }, /^$/],
  [{ status: 400, because: 'x', refusedPath: 'ambiguous' }, /^x; to do: send the path without/],
  [{ status: 404, because: 'x', refusedPath: 'excluded', joining: 'y' }, /^x; to do: see --exclude of rollcall up$/],
];

for (const [failed, detail] of CASES)
  test(`${JSON.stringify(failed)} is explained`, () =>
    assert.match(
      operatorDetail({ because: '', why: '', joining: '', node: undefined, contexts: [], ...failed }),
      detail,
    ));
