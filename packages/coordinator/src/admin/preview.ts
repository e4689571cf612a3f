import type { Disruption, Registry, SessionsEnd } from '@rollcall/core';
import type { WriteResult } from '@rollcall/protocol';

/** The preview of a dry run: its part of the answer, and the text that is appended to the message, or `''`. */
export function previewed(
  registry: Registry,
  change: Disruption,
  end: SessionsEnd,
): { readonly text: string; readonly shown: Pick<WriteResult, 'preview'> } {
  const preview = registry.preview(change, end);
  return preview === undefined ? { text: '', shown: {} } : { text: `; ${preview.sentence}`, shown: { preview } };
}
