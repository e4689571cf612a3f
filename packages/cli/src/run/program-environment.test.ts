import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliFailure } from '../exit.ts';
import { programEnvironment } from './program-environment.ts';

const SECRETS = {
  ROLLCALL_ADMIN_TOKEN: 'a',
  ROLLCALL_ADMIN_TOKEN_FILE: '/a',
  ROLLCALL_JOIN_TOKEN: 'j',
  ROLLCALL_JOIN_TOKEN_FILE: '/j',
  ROLLCALL_CLIENT_CERT: '/c',
  ROLLCALL_CLIENT_KEY: '/k',
};

test('a program gets only those cluster tokens that are passed by name', () => {
  const environment = { ...SECRETS, PATH: '/bin', ROLLCALL_URL: 'ws://host' };
  const rest = { PATH: '/bin', ROLLCALL_URL: 'ws://host' };
  assert.deepEqual(programEnvironment(environment, []), rest);
  assert.deepEqual(programEnvironment(environment, ['ROLLCALL_JOIN_TOKEN']), { ...rest, ROLLCALL_JOIN_TOKEN: 'j' });
  assert.throws(() => programEnvironment(environment, ['PATH']), CliFailure);
});
