import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BenchError } from '../bench-error.ts';
import { CONTROL_HELP, CONTROL_ROWS, readControlOptions } from './options.ts';

describe('options of the control bench', () => {
  test('without options all rows are measured once with 10,000 agents', () => {
    const options = readControlOptions([]);
    assert.deepEqual(options, {
      mode: 'control',
      rows: [],
      agents: 10_000,
      rounds: 1,
      measureMs: 10_000,
      node: process.execPath,
      jsonFile: undefined,
      markdownFile: undefined,
    });
  });

  test('options set rows, agents, rounds and duration', () => {
    const options = readControlOptions(['--rows', 'kill,half', '--agents', '3000', '--rounds', '3', '--secs', '5']);
    assert.deepEqual(
      [options?.rows, options?.agents, options?.rounds, options?.measureMs],
      [['kill', 'half'], 3_000, 3, 5_000],
    );
  });

  test('invalid options are refused with the valid ones', () => {
    assert.throws(() => readControlOptions(['--rows', 'nothing']), /--rows nothing: known are agents, kill/);
    assert.throws(() => readControlOptions(['--agents', '99']), /from 100 to 10000/);
    assert.throws(() => readControlOptions(['--agents', '20000']), BenchError);
    assert.throws(() => readControlOptions(['--rowz', 'kill']), /control --help/);
  });

  test('help names every row', () => {
    assert.equal(readControlOptions(['--help']), undefined);
    for (const row of CONTROL_ROWS) assert.ok(CONTROL_HELP.includes(row), row);
  });
});
