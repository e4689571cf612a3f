import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allCases } from './http-case.ts';

const PROXY = new URL('../../packages/proxy/', import.meta.url);

/** A rule of RULES.md: an item of a list, with its code and its cases as items below it. */
interface Rule {
  readonly rule: string;
  readonly code: string;
  readonly cases: readonly string[];
}

const RULE = /^- \*\*(.+)\*\* \(.+\): .+\n {2}- Code: (.+)\n {2}- Cases: (.+)$/gm;

function rules(): readonly Rule[] {
  const [, list = ''] = /^## Rules\n([\s\S]*?)^## /m.exec(readFileSync(new URL('RULES.md', PROXY), 'utf8')) ?? [];
  const found = [...list.matchAll(RULE)];
  assert.equal(found.length, list.match(/^- /gm)?.length, 'an item is not a rule with code and cases');
  return found.map(([, rule = '', code = '', cases = '']) => ({ rule, code, cases: cases.split(', ') }));
}

/** Files, and names that must occur in one of the files they are listed with. */
function places(code: string): readonly { readonly names: readonly string[]; readonly file: string }[] {
  const found: { names: string[]; file: string }[] = [];
  let names: string[] = [];
  for (const [, name, file] of code.matchAll(/`(\w+)`|((?:http1|engine)\/[\w-]+\.ts)/g))
    if (name !== undefined) names = found.at(-1)?.names === names ? [name] : [...names, name];
    else if (file !== undefined) found.push({ names, file });
  return found;
}

test('every rule of RULES.md names code and cases that exist', () => {
  const ids = new Set(allCases().map(({ id }) => id));
  const all = rules();
  assert.ok(all.length >= 40, `${all.length} rules`);
  for (const { rule, code, cases } of all) {
    for (const id of cases) assert.ok(ids.has(id), `${rule}: there is no case ${id}`);
    const named = places(code);
    assert.ok(named.length > 0, `${rule}: no file`);
    for (const { names, file } of named) {
      const path = new URL(`src/${file}`, PROXY);
      assert.ok(existsSync(path), `${rule}: there is no ${file}`);
      const text = readFileSync(path, 'utf8');
      for (const name of names)
        assert.match(text, new RegExp(`(?:function |const |#|^ {2})${name}\\b`, 'm'), `${rule}: no ${name} in ${file}`);
    }
  }
});

test('every kind of case is in the rules', () => {
  const covered = new Set(rules().flatMap(({ cases }) => cases.map((id) => id.replace(/^own-|-[0-9]+$/g, ''))));
  const kinds = new Set(allCases().map(({ id }) => id.replace(/^own-|-[0-9]+$/g, '')));
  // Cookies belong to the router, and these two have a test of every rule.
  for (const kind of ['req-cookie', 'res-baseline', 'req-baseline']) kinds.delete(kind);
  assert.deepEqual(
    [...kinds].filter((kind) => !covered.has(kind)),
    [],
  );
});
