/** The file with the secret that AJP nodes require: one line. It is read again after a change. */
import { readFileSync, type Stats, statSync, unwatchFile, watchFile } from 'node:fs';

const MAX_CHARACTERS = 1_024;
/** Interval at which the file is checked, milliseconds. */
const LOOK_MS = 2_000;

export interface AjpSecretLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Reads and validates the file. Throws an Error with the remedy. */
export function readAjpSecret(path: string): { readonly secret: string; readonly isReadableByOthers: boolean } {
  const { size, mode } = statSync(path);
  const text = size > MAX_CHARACTERS + 2 ? '' : readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  if (!/^[!-~]{1,1024}$/.test(text))
    throw new Error(`${path} has to be one line of 1 to ${MAX_CHARACTERS} visible ASCII characters`);
  return { secret: text, isReadableByOthers: (mode & 0o077) !== 0 };
}

export class AjpSecret {
  secret: string;
  readonly #path: string;
  readonly #log: AjpSecretLog;
  readonly #onLook = (now: Stats, before: Stats): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) this.#readAgain();
  };

  /** Throws when the file is unusable at the start. */
  constructor(path: string, log: AjpSecretLog, lookMs: number = LOOK_MS) {
    this.#path = path;
    this.#log = log;
    const { secret, isReadableByOthers } = readAjpSecret(path);
    if (isReadableByOthers) log.warn({ path }, 'others may read the AJP secret: chmod 600');
    this.secret = secret;
    watchFile(path, { persistent: false, interval: lookMs }, this.#onLook);
  }

  #readAgain(): void {
    try {
      this.secret = readAjpSecret(this.#path).secret;
      this.#log.info({ path: this.#path }, 'the AJP secret was read again');
    } catch (error) {
      this.#log.warn({ path: this.#path, reason: (error as Error).message }, 'the AJP secret stays as it was');
    }
  }

  close(): void {
    unwatchFile(this.#path, this.#onLook);
  }
}
