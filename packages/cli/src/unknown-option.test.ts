import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { runCommand } from './commands/run.ts';
import { upCommand } from './commands/up.ts';
import { unknownOptionAdvice } from './unknown-option.ts';

/** The advice for the words of a command that has an unknown option. */
function advice(command: Command, words: readonly string[]): string {
  let found: string | undefined;
  command.exitOverride().configureOutput({
    outputError: (text) => {
      found = unknownOptionAdvice(command, text);
    },
  });
  assert.throws(() => command.parse([...words], { from: 'user' }), /unknown option/);
  return found ?? 'no error was printed';
}

test('run without -- before the program names --, and only if a program precedes the unknown option', () => {
  assert.equal(
    advice(runCommand(), ['--balancer', 'shop', 'python3', '-m', 'http.server', '{port}']),
    '; put -- before the program: rollcall run [options] -- python3 …',
  );
  assert.equal(advice(runCommand(), ['--blancer', 'shop', '--', 'python3']), '');
});

test('up --port names --proxy', () => {
  assert.equal(advice(upCommand(), ['--port', '8080']), '; use --proxy HOST:PORT');
  assert.equal(advice(upCommand(), ['--port=8080']), '; use --proxy HOST:PORT');
  assert.equal(advice(upCommand(), ['--prox', ':80']), '');
});
