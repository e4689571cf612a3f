/** Loaded before the program: moves its wall clock by the milliseconds that the file `CLOCK_FILE` holds, as they change. */
import { readFileSync } from 'node:fs';

const file = process.env['CLOCK_FILE'];
const RealDate = Date;
let stepMs = 0;

const read = () => {
  try {
    stepMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    // Not written yet.
  }
};
read();
setInterval(read, 50).unref();

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + stepMs] : given));
  }
  static now() {
    return RealDate.now() + stepMs;
  }
};
