/**
 * The random id of this coordinator. Agents that reach one coordinator at two addresses detect it by the id. It is made once and
 * kept in the state directory. While that directory cannot be written, each start has another id.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isCoordinatorId } from '@rollcall/protocol';
import type { StateDirectory } from './files/state-directory.ts';
import { readIfThere } from './files/whole-file.ts';

const ID_BYTES = 16;

export function coordinatorIdPath(stateDir: string): string {
  return join(stateDir, 'coordinator-id');
}

/** The kept id, or a new one, which is written to `state`. A file without a valid id counts as absent. */
export async function ownCoordinatorId(state: StateDirectory): Promise<string> {
  const path = coordinatorIdPath(state.path);
  const text = await readIfThere(path).catch(() => undefined);
  const kept = text?.trim() ?? '';
  if (isCoordinatorId(kept)) return kept;
  const id = randomBytes(ID_BYTES).toString('hex');
  await state.writeAll(new Map([[path, `${id}\n`]]));
  return id;
}
