/** Errors of the admin API: RFC 9457 problem details with a code from `ERROR_CODES`. */
import type { ErrorCode, Fault, Problem } from '@rollcall/protocol';
import { ERROR_CODES } from '@rollcall/protocol';
import type { FastifyError } from 'fastify';
import { validationText } from './validation-text.ts';

/**
 * Thrown by routes to end a request with a problem. Expected outcomes are thrown only here, because fastify ends a route that
 * way.
 */
export class Refusal extends Error {
  readonly code: ErrorCode;
  /** Value of `Retry-After`, whole seconds. */
  readonly retryAfterS: number | undefined;

  constructor({ code, message }: Fault, retryAfterS?: number) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** The problem document of a fault. */
export function problemOf({ code, message }: Fault): Problem {
  const { http, means } = ERROR_CODES[code];
  return { type: `https://rollcall.invalid/errors/${code}`, title: means, status: http, code, detail: message };
}

/** Converts an error of fastify into a fault; `undefined` for an internal error. */
export function faultOf(error: unknown): Fault | undefined {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return undefined;
  const { code, statusCode, validation, validationContext } = error as Partial<FastifyError>;
  switch (code) {
    case 'FST_ERR_VALIDATION': {
      const finding = validation?.[0];
      const message = finding ? validationText(finding, validationContext ?? 'the request', validation) : error.message;
      return { code: 'bad-field', message };
    }
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { code: 'too-large', message: 'the body is larger than 65,536 bytes' };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { code: 'not-json', message: 'send content-type application/json' };
    default:
      return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
        ? { code: 'bad-message', message: error.message }
        : undefined;
  }
}
