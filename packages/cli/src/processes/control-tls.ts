/** Certificates of the control port: read from files, reloaded when the files change, and copied to the state directory. */
import { randomBytes } from 'node:crypto';
import type { ControlTls } from '@rollcall/coordinator';
import type { OpenedLog } from '@rollcall/logging';
import type { CertificatesOptions } from '@rollcall/proxy';
import { keepControlCertificate } from '../control-certificate.ts';
import type { ControlTlsFiles } from '../up/process-options.ts';

export interface OpenedControlTls {
  readonly tls: ControlTls;
  /** Reads all files now. An invalid file is logged and changes nothing. */
  readAgain(): void;
}

export interface ControlTlsOptions extends Pick<CertificatesOptions, 'kept' | 'onReport'> {
  readonly files: ControlTlsFiles;
  readonly stateDir: string;
  readonly log: OpenedLog['log'];
}

/** Throws an error with the file and the cause. */
export async function openControlTls({
  files: { cert, key, clientCa },
  stateDir,
  log,
  ...options
}: ControlTlsOptions): Promise<OpenedControlTls> {
  // The proxy is loaded only if its certificate reader is needed.
  const { Certificates } = await import('@rollcall/proxy');
  const certificates = new Certificates({
    ...options,
    files: [{ cert, key }],
    ...(clientCa === undefined ? {} : { clientCa }),
    ticketKeys: randomBytes(48),
    log,
    nowUnixMs: Date.now,
  });
  const keep = (): void => {
    try {
      keepControlCertificate(stateDir, certificates.firstPem);
    } catch (error) {
      log.warn(
        { reason: (error as Error).message },
        `cannot copy the control certificate to ${stateDir}; commands on this machine need --ca ${cert}`,
      );
    }
  };
  const listeners: (() => void)[] = [keep];
  certificates.onChange = () => {
    for (const listener of listeners) listener();
  };
  keep();
  const tls: ControlTls = {
    get context() {
      return certificates.first;
    },
    asksClients: clientCa !== undefined,
    path: cert,
    get endsAtUnixMs() {
      return certificates.firstEndsAtUnixMs;
    },
    get problem() {
      return certificates.firstProblem;
    },
    onChange: (listener) => void listeners.push(listener),
  };
  return { tls, readAgain: () => certificates.readAgain() };
}
