/** Reads `text/event-stream`, as the HTML standard defines it (section 9.2.6). Comments and unknown fields are ignored. */

/** One event. `id` is that of the last event with an id, `''` before it. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** The events of a body in their order. An event without its blank line at the end of the body is dropped. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void, undefined> {
  let id = '';
  let event = '';
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === '') {
      if (data.length > 0) yield { event: event === '' ? 'message' : event, id, data: data.join('\n') };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
}

/** Lines without their ends, which are LF, CRLF or CR. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  // Browsers cannot iterate over the body of a response yet.
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let isAfterCr = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      let text = decoder.decode(value, { stream: true });
      if (text === '') continue;
      if (isAfterCr && text.startsWith('\n')) text = text.slice(1);
      isAfterCr = text.endsWith('\r');
      const lines = text.split(/\r\n|\n|\r/);
      // A long line comes in many parts: they are joined once.
      parts.push(lines[0]!);
      for (const line of lines.slice(1)) {
        yield parts.join('');
        parts = [line];
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
