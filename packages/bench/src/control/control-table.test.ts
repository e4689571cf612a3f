import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asText } from '../output/table.ts';
import { controlTables } from './control-table.ts';

test('sizes are rows of one table, the others have a table each with their goals', () => {
  const figures = (controlCpuPercent: number) => ({ controlCpuPercent, controlKibPerAgent: 27.04, upSeconds: 1.4 });
  const tables = controlTables([
    { row: 'agents', agents: 1_000, rounds: [], medians: figures(4) },
    { row: 'agents', agents: 10_000, rounds: [], medians: figures(33) },
    { row: 'kill', agents: 10_000, rounds: [], medians: { backSeconds: 8.23, expired: 0 } },
    { row: 'half', agents: 10_000, rounds: [], medians: { backSeconds: 40 } },
  ]);
  assert.deepEqual(
    tables.map(({ title }) => title),
    [
      'Agents at 1 Hz',
      'Control process killed, 10000 agents',
      'Control process killed, half a core for the whole product, 10000 agents',
    ],
  );
  assert.deepEqual(tables[0]!.rows[1], ['10000', '33.0', '–', '27.0', '–', '1.4']);
  const text = asText(tables[1]!);
  assert.match(text, /all back after, s +8\.2 +≤ 10\n/);
  assert.match(text, /leases expired +0 +≤ 0\n/);
  assert.match(asText(tables[2]!), /all back after, s +40\.0\n/);
});
