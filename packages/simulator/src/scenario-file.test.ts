import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtInNames, builtInScenario } from './built-in-scenarios.ts';
import { withOverrides } from './overrides.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario, ScenarioProblem } from './scenario-file.ts';

const SCENARIO = {
  name: 'mine',
  nodes: [
    { count: 2, speed: 1 },
    { count: 4, speed: 2 },
  ],
  proxies: 2,
  utilisation: 0.5,
  work: { kind: 'exponential', meanMs: 10 },
  warmupMs: 100,
  durationMs: 1_000,
  deadlineMs: 500,
  reportMs: 100,
};

function problemWith(differs: object): string {
  const parsed = parseScenario({ ...SCENARIO, ...differs });
  return parsed instanceof ScenarioProblem ? parsed.message : '';
}

test('every built-in scenario is valid and has the name of its file', () => {
  const names = builtInNames();
  assert.ok(names.length >= 15);
  for (const name of names) assert.equal(builtInScenario(name)?.name, name);
  assert.equal(builtInScenario('../package'), undefined);
});

test('a valid scenario is decoded unchanged', () => {
  assert.deepEqual(parseScenario(SCENARIO), SCENARIO);
});

test('an error names the invalid field', () => {
  assert.equal(problemWith({}), '');
  const wrong: [differs: object, message: RegExp][] = [
    [{ utilisation: 'high' }, /^utilisation must be a number from 0\.000001 to 10, not "high"$/],
    [{ proxies: undefined }, /^proxies must be an integer from 1 to 1000 \(missing\)$/],
    [{ nodes: [] }, /^nodes must be a list of at least 1$/],
    [{ nodes: [{ count: 2, speed: 0 }] }, /^nodes\[0\]\.speed must be a number/],
    [
      { nodes: [{ count: 2, speed: 1, colour: 'red' }] },
      /^nodes\[0\]\.colour is not a field; fields are count, speed, weight$/,
    ],
    [{ work: { kind: 'uniform' } }, /^work\.kind must be one of constant, exponential, lognormal, pareto$/],
    [{ work: { kind: 'lognormal', meanMs: 3 } }, /^work\.variation must be a number .* \(missing\)$/],
    [{ events: [{ atMs: 5, does: 'drain', node: 6 }] }, /^events\[0\]\.node is 6, but nodes are 0 to 5$/],
    [{ events: [{ atMs: 5, does: 'explode' }] }, /^events\[0\]\.does must be one of slow/],
    [{ windows: [{ name: 'all', fromMs: 0, toMs: 50 }] }, /^windows\[0\] must be within 100 and 1100 ms/],
    [{ name: 'My scenario' }, /^name must consist of lower-case/],
    [{ tells: 'all' }, /^tells must be one of beside-answers, reports, nothing$/],
  ];
  for (const [differs, message] of wrong) assert.match(problemWith(differs), message);
  for (const value of [null, 3, 'x', []]) assert.ok(parseScenario(value) instanceof ScenarioProblem);
});

test('later events may name nodes that have joined', () => {
  const join = { atMs: 5, does: 'join', count: 1, speed: 1 };
  assert.equal(problemWith({ events: [join, { atMs: 6, does: 'drain', node: 6 }] }), '');
  assert.match(
    problemWith({
      events: [
        { ...join, atMs: 7 },
        { atMs: 6, does: 'drain', node: 6 },
      ],
    }),
    /^events\[1\]\.atMs/,
  );
});

test('a different number of nodes keeps the proportion of their speeds', () => {
  const counts = (nodes: number): number[] | undefined => {
    const changed = withOverrides(parseScenario(SCENARIO) as Scenario, { nodes });
    return changed instanceof ScenarioProblem ? undefined : changed.nodes.map(({ count }) => count);
  };
  assert.deepEqual(counts(12), [4, 8]);
  assert.deepEqual(counts(7), [2, 5]);
  assert.equal(counts(1), undefined);
});
