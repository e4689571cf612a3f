import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Program } from './program.ts';

const PATH = process.env['PATH'] ?? '';

test('each cause of a failed start is one sentence', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-start-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = (name: string, content: string | Buffer, mode: number): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const cases: readonly (readonly [command: readonly string[], exitCode: number, why: RegExp])[] = [
    [['no-such-command'], 127, /^cannot start no-such-command: there is no such command$/],
    [[file('plain', 'exit 0', 0o644)], 126, /: it is not executable \(chmod \+x\)$/],
    [[directory], 126, /: it is a directory$/],
    [
      [file('script', '#!/no/such/interpreter -x\n', 0o755)],
      126,
      /: its interpreter \/no\/such\/interpreter does not exist$/,
    ],
    [['sh', 'x'.repeat(200_000)], 126, /: arguments and environment together are larger .* \(E2BIG\)$/],
  ];
  for (const [command, exitCode, why] of cases) {
    const program = new Program(command, { PATH });
    const end = await program.ended;
    await program.end();
    assert.equal(end.exitCode, exitCode, command[0]);
    assert.match(end.problem ?? '', why);
  }
});
