import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { dashboardAssets } from './index.ts';

/** Upper bound of script and style sheet, compressed. */
const MAX_BYTES = 80_000;

test('the page is small, and loads what is served', () => {
  const assets = dashboardAssets();
  const { body } = assets.get('/balancer-manager')!;
  const loaded = [...body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
  assert.equal(loaded.length, 3);
  const bytes = loaded.map((path) => gzipSync(assets.get(path)!.body).length).reduce((sum, length) => sum + length, 0);
  assert.ok(bytes <= MAX_BYTES, `${bytes} bytes`);
});

test('the page has no inline script or style', () => {
  const { body } = dashboardAssets().get('/server-status')!;
  assert.doesNotMatch(body, /<style|style=|<script(?![^>]*src=)|\son\w+=/);
});
