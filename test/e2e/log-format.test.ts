/** `--log-format` of the commands that serve, where standard error is no terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Site, until } from '../site/site.ts';

const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);

test('up has readable lines with text, and JSON lines only with json', async (t) => {
  const site = await Site.start(t, { flags: ['--log-level', 'info', '--log-format', 'text'] });
  await until(() => linesOf(site.log).length >= 2, 'no log');
  for (const line of linesOf(site.log)) assert.match(line, /^(?:\d\d:\d\d:\d\d\.\d{3} \w+ \S+: |rollcall: )/);
  const before = site.log.length;
  await site.restart(['--log-level', 'info', '--log-format', 'json']);
  site.signalUp('SIGHUP');
  await until(() => site.log.includes('reloaded'), 'no line of the reload');
  const later = linesOf(site.log.slice(before)).filter((line) => line.startsWith('{'));
  const own = later.map((line) => JSON.parse(line) as { name: string; level: number; msg: string });
  assert.ok(own.some(({ name, level, msg }) => name === 'rollcall' && level === 30 && msg.startsWith('reloaded')));
  assert.ok(own.some(({ name }) => name === 'control'));
});

test('run writes its lines as JSON with json, and as plain lines otherwise', async (t) => {
  const site = await Site.start(t);
  const program = ['--', process.execPath, '-e', 'process.exit(3)'];
  const plain = await runOf(site, '--id', 'a', ...program);
  assert.match(plain.stderr, /^rollcall: /m);
  const json = await runOf(site, '--log-format', 'json', '--id', 'b', ...program);
  const lines = linesOf(json.stderr);
  assert.ok(lines.length > 0);
  for (const line of lines) assert.equal((JSON.parse(line) as { name: string }).name, 'rollcall');
});

/** `rollcall run` with these words, to its end. */
async function runOf(site: Site, ...words: readonly string[]): Promise<{ readonly stderr: string }> {
  const child = site.start(['run', ...words]);
  let stderr = '';
  child.stderr!.on('data', (octets: Buffer) => {
    stderr += octets.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  return { stderr };
}
