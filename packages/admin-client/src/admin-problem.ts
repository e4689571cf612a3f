/** An error answer of the admin API. */
import type { ErrorCode, Problem } from '@rollcall/protocol';

/** Upper bound of the text of an answer that is no problem document, characters. */
const MAX_TEXT = 300;

/** `message` is the detail of the problem. It contains no credentials. */
export class AdminProblem extends Error {
  readonly status: number;
  /** Stable code for programs; absent if the answer is no problem document, such as that of a proxy in between. */
  readonly code: ErrorCode | undefined;

  constructor(status: number, { detail, code }: Partial<Pick<Problem, 'detail' | 'code'>>) {
    super(detail ?? `the coordinator answered ${status}`);
    this.name = 'AdminProblem';
    this.status = status;
    // Codes of later releases are unknown here, and still codes.
    this.code = code as ErrorCode | undefined;
  }

  /** Reads the body of an error answer. */
  static async from(response: Response): Promise<AdminProblem> {
    const text = await response.text();
    try {
      const { detail, code } = JSON.parse(text) as Record<string, unknown>;
      if (typeof detail === 'string')
        return new AdminProblem(response.status, { detail, ...(typeof code === 'string' && { code }) });
    } catch {
      // Not JSON: the text is the detail.
    }
    return new AdminProblem(response.status, text === '' ? {} : { detail: text.slice(0, MAX_TEXT) });
  }
}
