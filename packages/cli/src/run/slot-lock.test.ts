import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { acquireSlot, defaultSlotDirectory, type Slot, writableSlotDirectory } from './slot-lock.ts';

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-slots-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const acquire = (workingDirectory = '/srv/shop', balancer = 'shop'): Slot => {
    const slot = acquireSlot({ directory: join(directory, 'slots'), balancer, workingDirectory });
    assert.ok(slot);
    return slot;
  };
  return { directory: join(directory, 'slots'), acquire };
}

test('copies get the lowest free numbers, and a released number is used again', (t) => {
  const { acquire } = setUp(t);
  const slots = [acquire(), acquire(), acquire()];
  assert.deepEqual(
    slots.map((slot) => slot.number),
    [0, 1, 2],
  );
  slots[1]!.release();
  slots[1]!.release();
  assert.equal(acquire().number, 1);
  assert.equal(acquire().number, 3);
});

test('each directory and each balancer has its own numbers', (t) => {
  const { acquire } = setUp(t);
  assert.deepEqual(
    [acquire(), acquire('/srv/wiki'), acquire('/srv/shop', 'wiki')].map((slot) => slot.number),
    [0, 0, 0],
  );
});

test('a lock is taken over if its process is gone, its pid is reused, or its file is broken', async (t) => {
  const { directory, acquire } = setUp(t);
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const slot = acquire();
  const [file] = readdirSync(directory);
  for (const content of [`${child.pid} 1\nx\n`, `${process.pid} 1\nx\n`, 'rubbish', '']) {
    writeFileSync(join(directory, file!), content);
    assert.equal(acquire().number, 0, JSON.stringify(content));
  }
  slot.release();
  assert.equal(
    readdirSync(directory).length,
    1,
    'a process that lost its lock does not remove the lock of another process',
  );
});

test('only locks are left', (t) => {
  const { directory, acquire } = setUp(t);
  acquire().release();
  assert.deepEqual(readdirSync(directory), []);
});

test('the state directory follows XDG for all users but root', () => {
  const directory = defaultSlotDirectory({ XDG_STATE_HOME: '/state' });
  assert.ok(['/state/rollcall/slots', '/var/lib/rollcall/slots'].includes(directory));
});

test('slots are in a folder of the temporary directory if the usual directory is not writable', (t) => {
  const { directory } = setUp(t);
  const temporary = dirname(directory);
  assert.equal(writableSlotDirectory(directory, temporary), directory);
  const own = join(temporary, `rollcall-slots-${process.getuid?.()}`);
  assert.equal(writableSlotDirectory('/dev/null/slots', temporary), own);
  assert.equal(writableSlotDirectory('/dev/null/slots', temporary), own);
  rmSync(own, { recursive: true });
  symlinkSync(directory, own);
  assert.throws(() => writableSlotDirectory('/dev/null/slots', temporary), /belongs to another user/);
});
