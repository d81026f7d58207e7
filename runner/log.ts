import pino from 'pino';
import type { Log } from './ports';

/** How log lines look. `json` is for Jobs; `text` is one readable line each, for terminals. */
export type LogFormat = 'json' | 'text';

/**
 * Log lines for a stream, written at once: a runner that is killed leaves all that it said. Nothing with a credential
 * in it is ever passed here; the tests look for them in what comes out.
 */
export function createLog(format: LogFormat, stream: { write(text: string): unknown }): Log {
  const destination = { write: (line: string) => void stream.write(format === 'json' ? line : readable(line)) };
  return pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    destination,
  );
}

function readable(line: string): string {
  const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${details.join('')}\n`;
}
