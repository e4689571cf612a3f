/** Times and durations for display. */

/** A duration in one unit, rounded down: `12 s`, `4 min`, `2 h`, `3 d`. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

/** Time of day with seconds, in the zone of the browser or UTC: `15:31:05`, `15:31:05 UTC`. */
export function timeText(unixMs: number, isUtc: boolean): string {
  const text = new Date(unixMs).toLocaleTimeString('en-GB', { hour12: false, ...(isUtc && { timeZone: 'UTC' }) });
  return isUtc ? `${text} UTC` : text;
}

/** Time of day without seconds; with the day if it is another day than `nowMs`: `15:31`, `2 Dec 15:31`. */
export function clockText(unixMs: number, nowMs: number, isUtc: boolean): string {
  const zone = isUtc ? { timeZone: 'UTC' } : {};
  const date = new Date(unixMs);
  const day = (at: Date): string => at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...zone });
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false, ...zone });
  return `${day(date) === day(new Date(nowMs)) ? time : `${day(date)} ${time}`}${isUtc ? ' UTC' : ''}`;
}

/** Date, time and zone, for the tooltip of a time. */
export function fullTimeText(unixMs: number, isUtc: boolean): string {
  return new Date(unixMs).toLocaleString('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'long',
    ...(isUtc && { timeZone: 'UTC' }),
  });
}
