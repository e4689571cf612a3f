import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonFault } from './json-fault.ts';

const FAULTS: readonly (readonly [text: string, fault: string])[] = [
  ['', 'unexpected end of the text in line 1, column 1'],
  ['   ', 'unexpected end of the text in line 1, column 4'],
  ['{', 'unexpected end of the text in line 1, column 2'],
  ['{"a": 1', 'unexpected end of the text in line 1, column 8'],
  ['{"a": 1,}', 'unexpected "}" in line 1, column 9'],
  ['{"a" 1}', 'unexpected "1" in line 1, column 6'],
  ['{a: 1}', 'unexpected "a" in line 1, column 2'],
  ["{'a': 1}", 'unexpected "\'" in line 1, column 2'],
  ['{"a": 01}', 'unexpected "1" in line 1, column 8'],
  ['{"a": .5}', 'unexpected "." in line 1, column 7'],
  ['{"a": +1}', 'unexpected "+" in line 1, column 7'],
  ['{"a": NaN}', 'unexpected "N" in line 1, column 7'],
  ['[1, 2', 'unexpected end of the text in line 1, column 6'],
  ['[1 2]', 'unexpected "2" in line 1, column 4'],
  ['[1,]', 'unexpected "]" in line 1, column 4'],
  ['{"a": [1, {"b": ]}', 'unexpected "]" in line 1, column 17'],
  ['{}{}', 'unexpected "{" in line 1, column 3'],
  ['true false', 'unexpected "f" in line 1, column 6'],
  ['"a\tb"', 'unexpected "\\"" in line 1, column 1'],
  ['"\\x"', 'unexpected "\\"" in line 1, column 1'],
  ['{\n  "a": 1\n  "b": 2\n}', 'unexpected "\\"" in line 3, column 3'],
  ['{\n  // no\n}', 'unexpected "/" in line 2, column 3'],
  ['{\r\n"a": tru\r\n}', 'unexpected "t" in line 2, column 6'],
];

for (const [text, fault] of FAULTS)
  test(`the fault of ${JSON.stringify(text)}`, () => {
    assert.throws(() => JSON.parse(text), SyntaxError);
    assert.equal(jsonFault(text), fault);
  });

test('a text of 100,000 numbers is read in one pass', () => {
  const numbers = `[${Array.from({ length: 100_000 }, (_, i) => i).join(',')},]`;
  assert.equal(jsonFault(numbers), `unexpected "]" in line 1, column ${numbers.length}`);
});
