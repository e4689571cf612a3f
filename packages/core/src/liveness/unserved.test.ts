/** Why a context has no eligible node: the cause whose remedy helps first, with mixed states counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { parseBalancerName, parseContextPath, parseHostPattern } from '@rollcall/protocol';
import { type NodeFacts, whyUnserved } from './unserved.ts';

const CONTEXT = {
  balancer: parseBalancerName('api')!,
  host: parseHostPattern('*')!,
  path: parseContextPath('/api')!,
};

type State = Partial<NodeFacts>;
const DRAINED: State = { status: 'draining' };
const STOPPED: State = { status: 'stopped' };
const CRASHED: State = { liveness: 'suspect', port: 'refused', isConnected: false };
const HUNG: State = { port: 'unresponsive' };
const STARTING: State = { liveness: 'joining', port: 'unknown' };

const ENDING: State = { status: 'draining', isEndingItself: true };
const ENDED: State = { status: 'stopped', isEndingItself: true };
const ALL_END = 'all nodes of balancer api are ending by request of their programs';
const NEW_ONE =
  'start one: rollcall run --balancer api --context /api -- COMMAND; or, while their rollcall run runs: rollcall scale api=N';

const ENABLE_1 = 'enable one (rollcall enable n1), or start another';
const START = 'start the programs again; their nodes return by themselves';

const CASES: readonly [what: string, states: readonly State[], cause: string, message: string, remedy: string][] = [
  [
    'no node ever',
    [],
    'never',
    'no node of balancer api has registered',
    'start one: rollcall run --balancer api --context /api -- COMMAND',
  ],
  ['one drained', [DRAINED], 'drained', 'all nodes of balancer api are draining, stopped or ending (n1)', ENABLE_1],
  ['two stopped', [STOPPED, STOPPED], 'stopped', 'all nodes of balancer api are stopped or ending (n1, n2)', ENABLE_1],
  [
    'one drained, one stopped',
    [DRAINED, STOPPED],
    'drained',
    'all nodes of balancer api are draining, stopped or ending (n1, n2)',
    ENABLE_1,
  ],
  ['one that ends by itself', [ENDING], 'drained', `${ALL_END} (n1)`, NEW_ONE],
  ['two that have stopped by themselves', [ENDED, ENDED], 'stopped', `${ALL_END} (n1, n2)`, NEW_ONE],
  [
    'one that ends by itself, one drained',
    [ENDING, DRAINED],
    'drained',
    'of 2 nodes of balancer api 1 is ending (n1) and 1 is draining (n2)',
    'enable one (rollcall enable n2), or start another',
  ],
  [
    'one that ends by itself, one drained and crashed',
    [ENDING, { ...DRAINED, ...CRASHED }],
    'drained',
    'of 2 nodes of balancer api 1 is ending (n1) and 1 is draining (n2)',
    NEW_ONE,
  ],
  [
    'one that ends by itself, one crashed',
    [ENDING, CRASHED],
    'crashed',
    'of 2 nodes of balancer api 1 is ending (n1) and 1 refuses connections (n2)',
    START,
  ],
  ['one crashed', [CRASHED], 'crashed', 'the ports of all nodes of balancer api refuse connections (n1)', START],
  [
    'one starting',
    [STARTING],
    'unreachable',
    'the nodes of balancer api have registered, and the coordinator cannot reach their addresses (n1)',
    'check that the program listens at the announced address and port',
  ],
  [
    'one drained, two crashed',
    [DRAINED, CRASHED, CRASHED],
    'drained',
    'of 3 nodes of balancer api 1 is draining (n1) and 2 refuse connections (n2, n3)',
    ENABLE_1,
  ],
  [
    'one stopped, one starting, one that does not answer',
    [STOPPED, STARTING, HUNG],
    'stopped',
    'of 3 nodes of balancer api 1 is stopped (n1), 1 is starting (n2) and 1 does not answer (n3)',
    ENABLE_1,
  ],
  [
    'one drained and crashed',
    [{ ...DRAINED, ...CRASHED }],
    'drained',
    'all nodes of balancer api are draining, stopped or ending, and none of them answers (n1)',
    'start their programs again, then enable one: rollcall enable n1',
  ],
  [
    'one drained and crashed, one crashed',
    [{ ...DRAINED, ...CRASHED }, CRASHED],
    'crashed',
    'of 2 nodes of balancer api 1 is draining (n1) and 1 refuses connections (n2)',
    START,
  ],
];

for (const [what, states, cause, message, remedy] of CASES)
  test(`${what}: ${cause}`, () => {
    const nodes = states.map((state, i): NodeFacts => ({ ...UP, id: `n${i + 1}` as NodeId, ...state }));
    assert.deepEqual(whyUnserved(CONTEXT, nodes), { cause, message, remedy });
  });

test('a context with one node that can serve is served, whatever the others are', () => {
  const nodes = [DRAINED, CRASHED, {}].map((state, i): NodeFacts => ({ ...UP, id: `n${i}` as NodeId, ...state }));
  assert.equal(whyUnserved(CONTEXT, nodes), undefined);
});

const UP: Omit<NodeFacts, 'id'> = {
  liveness: 'up',
  status: 'enabled',
  port: 'answers',
  isConnected: true,
  hasAgent: true,
};
