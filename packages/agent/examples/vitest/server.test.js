import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { server } from './server.js';

beforeAll(async () => {
  server.listen(0);
  await once(server, 'listening');
});
afterAll(() => new Promise((done) => server.close(done)));

test('serves the price', async () => {
  const response = await fetch(`http://localhost:${server.address().port}/price`);
  expect(await response.json()).toEqual({ price: 12 });
});
