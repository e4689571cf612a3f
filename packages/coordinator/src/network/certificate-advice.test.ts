import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTROL_CERTIFICATE, endAdvice, problemAdvice, SITE_CERTIFICATE } from './certificate-advice.ts';

const DAY_MS = 86_400_000;

test('an expired certificate, and expiry within 14 days, is a sentence', () => {
  for (const use of [CONTROL_CERTIFICATE, SITE_CERTIFICATE]) {
    const ends = (leftMs: number) => endAdvice(use, { path: 'one.crt', endsAtUnixMs: leftMs }, 0);
    const { of, clients } = use;
    assert.equal(ends(14 * DAY_MS), undefined);
    assert.match(ends(13.5 * DAY_MS)!, new RegExp(`^The certificate of ${of}, one.crt, expires at .*, in 13 days\\.`));
    assert.match(ends(-1)!, new RegExp(`expired at 1969-12-31T23:59:59.999Z: new connections of ${clients} fail\\.`));
  }
});

test('files that cannot be used are a sentence with cause, effect and remedy', () => {
  assert.equal(
    problemAdvice(SITE_CERTIFICATE, { path: 'one.crt', endsAtUnixMs: 0 }, 'cannot read one.crt: EACCES', 'worker 1'),
    'The files of the certificate of the site, one.crt, cannot be used: cannot read one.crt: EACCES. In use by worker 1 is the certificate read before, which ends at 1970-01-01T00:00:00.000Z. Repair the files; they are read within seconds.',
  );
});
