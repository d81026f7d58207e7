import { expect, test } from 'vitest';
import { hasEnded, whileUnreachable } from '../../../../runner/engines/redis/let-go';
import { StillpointError } from '../../../../runner/errors';

const open = new AbortController().signal;

/** Fails with these codes, one a call, and then works. */
function failing(...codes: readonly ('server-unreachable' | 'session-lost' | 'server-changed')[]) {
  const calls = { count: 0 };
  const work = async (): Promise<void> => {
    const code = codes[calls.count++];
    if (code !== undefined) throw new StillpointError(code, `call ${calls.count}`);
  };
  return { calls, work };
}

test('a server that ends connections for a moment is called again', async () => {
  const { calls, work } = failing('server-unreachable', 'session-lost', 'server-unreachable');
  await whileUnreachable(work, open, 0);
  expect(calls.count).toBe(4);
});

test('any other failure is told at once', async () => {
  const { calls, work } = failing('server-unreachable', 'server-changed');
  await expect(whileUnreachable(work, open, 0)).rejects.toMatchObject({ code: 'server-changed' });
  expect(calls.count).toBe(2);
});

test('a server that stays away is given up, and so is one when the time is over', async () => {
  const away = failing(...Array.from({ length: 100 }, () => 'server-unreachable' as const));
  await expect(whileUnreachable(away.work, open, 0)).rejects.toMatchObject({ code: 'server-unreachable' });
  expect(away.calls.count).toBe(12);
  const over = failing(...Array.from({ length: 100 }, () => 'server-unreachable' as const));
  await expect(whileUnreachable(over.work, AbortSignal.abort(), 60_000)).rejects.toMatchObject({ message: 'call 1' });
});

test('a session that was cut is waited for until the server has it no more', async () => {
  const answers = ['id=7 addr=10.0.0.1:4 cmd=config', 'id=7 addr=10.0.0.1:4 cmd=config', '\n'];
  const asked: (readonly string[])[] = [];
  const ask = async (_: string, args: readonly string[]): Promise<string> => answers[asked.push(args) - 1] ?? '';
  expect(await hasEnded('7', ask, open, 0)).toBe(true);
  expect(asked).toEqual(Array.from({ length: 3 }, () => ['CLIENT', 'LIST', 'ID', '7']));
  expect(await hasEnded('7', async () => 'id=7 addr=10.0.0.1:4', open, 0)).toBe(false);
});
