const { once } = require('node:events');
const { start } = require('./server.js');

let server;
beforeAll(async () => {
  server = start(0);
  await once(server, 'listening');
});
afterAll(() => new Promise((done) => server.close(done)));

test('serves the price', async () => {
  const response = await fetch(`http://localhost:${server.address().port}/price`);
  expect(await response.json()).toEqual({ price: 12 });
});
