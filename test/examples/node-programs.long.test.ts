/** The programs of packages/examples with two nodes, sessions and a drain. */
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { noFlask, prove } from './example.ts';

const TIMEOUT_MS = 180_000;
const noPhp = existsSync('/usr/bin/php') ? false : 'apt-get install php-cli';

/** The program of each example, and why it cannot run on this machine. */
const EXAMPLES: readonly (readonly [example: string, skip: string | false])[] = [
  ['express', false],
  ['fastify', false],
  ['flask', noFlask()],
  ['php', noPhp],
];

for (const [example, skip] of EXAMPLES)
  test(`${example}: two nodes, and each session stays while one drains`, { timeout: TIMEOUT_MS, skip }, (t) =>
    prove(t, example),
  );
