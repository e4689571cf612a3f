import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BALANCER_NAMES } from './balancers/all.ts';
import { type BalanceScenario, balanceScenarios, capacityMs, capacityPerSecond, SCENARIO_NAMES } from './scenario.ts';

const LENGTH = { warmUpMs: 5_000, measureMs: 21_000 };

function scenario(name: string, utilisation?: number): BalanceScenario {
  return balanceScenarios(LENGTH, utilisation).find((one) => one.name === name)!;
}

test('every scenario has a name of its own that no balancer has', () => {
  assert.deepEqual(
    balanceScenarios(LENGTH).map(({ name }) => name),
    SCENARIO_NAMES,
  );
  assert.equal(new Set([...SCENARIO_NAMES, ...BALANCER_NAMES]).size, SCENARIO_NAMES.length + BALANCER_NAMES.length);
});

test('twelve nodes of speeds 1:2:4 can do as much as twelve equal ones', () => {
  for (const name of ['homogeneous', 'speeds']) {
    const { speeds } = scenario(name);
    assert.equal(speeds.length, 12);
    assert.ok(Math.abs(capacityPerSecond(speeds, 0) - 350) < 1e-6);
  }
});

test('what antagonists take is not offered', () => {
  const rate = (name: string, utilisation?: number): number => {
    const { traffic } = scenario(name, utilisation);
    return traffic.perSecond;
  };
  assert.ok(Math.abs(rate('speeds') - 315) < 1e-6);
  assert.ok(Math.abs(rate('antagonist') - 0.9 * 297.5) < 1e-6);
  assert.ok(Math.abs(rate('speeds', 0.7) - 245) < 1e-6);
});

test('at any time one node of each class is slowed, each of them in its turn', () => {
  const { steps, speeds } = scenario('antagonist');
  const slowed = (atMs: number): number[] =>
    speeds.flatMap((_, node) => {
      const last = steps.filter((step) => step.node === node && step.atMs <= atMs).at(-1);
      return last?.does.kind === 'speed' && last.does.factor < 1 ? [node] : [];
    });
  const all = new Set<number>();
  for (let atMs = 1; atMs < 20_000; atMs += 500) {
    const nodes = slowed(atMs);
    assert.deepEqual(nodes.map((node) => speeds[node]).sort(), [1, 2, 4], `${atMs}`);
    for (const node of nodes) all.add(node);
  }
  assert.equal(all.size, 12);
});

test('steps are by time', () => {
  for (const { name, steps } of balanceScenarios(LENGTH))
    assert.ok(
      steps.every(({ atMs }, i) => atMs >= (steps[i - 1]?.atMs ?? 0)),
      name,
    );
});

test('what a node can do follows its steps', () => {
  const leaving = scenario('drain');
  assert.equal(leaving.steps[0]!.atMs, 12_000);
  const speed = leaving.speeds[11]!;
  assert.ok(Math.abs(capacityMs(leaving, 11, 5_000, 26_000) - 7_000 * speed) < 1e-6);
  assert.ok(Math.abs(capacityMs(leaving, 0, 5_000, 26_000) - 21_000 * speed) < 1e-6);
  assert.equal(capacityMs(scenario('fail-fast'), 11, 5_000, 26_000), 0);
  const joining = scenario('join');
  // Slow for 5 s, by 0.25 more slowly than half on average.
  const joined = capacityMs(joining, 11, 5_000, 26_000) / joining.speeds[11]!;
  assert.ok(joined > 9_000 + 2_000 && joined < 14_000, `${joined}`);
  assert.equal(capacityMs(joining, 11, 5_000, 12_000), 0);
  const antagonists = scenario('antagonist');
  const lost = antagonists.speeds.map((own, node) => own - capacityMs(antagonists, node, 5_000, 25_000) / 20_000);
  const sum = lost.reduce((all, one) => all + one, 0);
  assert.ok(Math.abs(sum - 7 * 0.6) < 1e-9, `${sum}`);
});
