/** Watches the secret file, so that a new secret needs no restart. An invalid file is ignored. */
import { type Stats, unwatchFile, watchFile } from 'node:fs';
import { HmacSeal } from './hmac-seal.ts';
import { readStickySecrets } from './secret-file.ts';

/** Interval at which the file is checked, milliseconds. */
const LOOK_MS = 2_000;

export interface SecretLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export class SecretWatch {
  readonly seal: HmacSeal;
  readonly #path: string;
  readonly #log: SecretLog;
  readonly #onLook = (now: Stats, before: Stats): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) this.#readAgain();
  };

  /** Throws when the file is unusable at the start. */
  constructor(path: string, log: SecretLog, lookMs: number = LOOK_MS) {
    this.#path = path;
    this.#log = log;
    const secrets = readStickySecrets(path);
    if (secrets.isReadableByOthers) log.warn({ path }, 'others may read the sticky secret: chmod 600');
    this.seal = new HmacSeal(secrets);
    watchFile(path, { persistent: false, interval: lookMs }, this.#onLook);
  }

  #readAgain(): void {
    try {
      this.seal.secrets = readStickySecrets(this.#path);
      this.#log.info({ path: this.#path }, 'the sticky secret was read again');
    } catch (error) {
      this.#log.warn({ path: this.#path, reason: (error as Error).message }, 'the sticky secret stays as it was');
    }
  }

  close(): void {
    unwatchFile(this.#path, this.#onLook);
  }
}
