/** The settings of servers and tools on files of their own, by version. */
import { describe, expect, it } from 'vitest';
import { serverOf, settingsStatement } from '../../../../runner/engines/neo4j/facts';
import { isOfModern, javaSize, nameIn, type OwnSettings, ownSettings } from '../../../../runner/engines/neo4j/settings';

const linesOf = (more: Partial<OwnSettings>): readonly string[] =>
  ownSettings({ data: '/data', logs: '/logs', modern: true, memory: {}, listens: true, ...more })
    .trimEnd()
    .split('\n');

const memory = { 'server.memory.heap.max_size': '262144k', 'server.memory.pagecache.size': '64m' };

describe('rule 13: a server of its own', () => {
  it.each([
    [true, 'server', 'server'],
    [false, 'dbms', 'dbms.connector'],
  ])(
    'of 5 or later: %s, is reached in its own pod alone, with no plug-in of the original',
    (modern, server, connector) => {
      expect(linesOf({ modern, memory }).filter((line) => !line.startsWith('dbms.usage_report'))).toEqual([
        `${server}.directories.data=/data`,
        `${server}.directories.transaction.logs.root=/logs`,
        `${server}.directories.plugins=/data/.stillpoint/plugins`,
        `${server}.directories.logs=/data/.stillpoint/logs`,
        `${server}.directories.run=/data/.stillpoint/run`,
        'dbms.security.auth_enabled=false',
        `${server}.default_listen_address=127.0.0.1`,
        `${connector}.bolt.listen_address=127.0.0.1:7687`,
        `${connector}.http.enabled=false`,
        `${connector}.https.enabled=false`,
        `${server}.memory.heap.max_size=262144k`,
        `${server}.memory.pagecache.size=64m`,
      ]);
    },
  );

  it('of 5 is stopped by a name that it does not know, and reports to nobody', () => {
    expect(linesOf({}).join()).not.toMatch(/strict_validation/);
    expect(linesOf({})).toContain('dbms.usage_report.enabled=false');
    expect(linesOf({ modern: false }).join()).not.toMatch(/usage_report/);
  });
});

describe('tools', () => {
  it.each([
    [true, ['server.bolt.enabled=false', 'server.config.strict_validation.enabled=false']],
    [false, ['dbms.connector.bolt.enabled=false']],
  ])('of 5 or later: %s, have nobody who listens', (modern, lines) => {
    const all = linesOf({ modern, listens: false });
    expect(all).toEqual(expect.arrayContaining(lines));
    expect(all.filter((line) => line.endsWith('.enabled=true') || line.includes('7687'))).toEqual([]);
    expect(all.some((line) => line.startsWith('server.'))).toBe(modern);
  });
});

describe('the version of a backup', () => {
  it.each([
    ['5.26.30', undefined, true],
    ['4.4.44', 'neo4j:5-community', false],
    ['2025.01.0', undefined, true],
    [undefined, 'neo4j:4.4-community', false],
    [undefined, 'mirror.example:5000/neo4j:4.4.44', false],
    [undefined, 'neo4j:4.4@sha256:0123', false],
    [undefined, 'neo4j:5-enterprise', true],
    [undefined, 'mirror.example:4000/neo4j', true],
    [undefined, 'neo4j:latest', true],
    [undefined, undefined, true],
  ])('%s of the image %s is of 5 or later: %s', (serverVersion, image, modern) => {
    expect(isOfModern({ ...(serverVersion && { serverVersion }), ...(image && { workload: { image } }) })).toBe(modern);
  });
});

describe('the settings of a server', () => {
  it('of 4.4 are asked for by its own names, and recorded by those of 5', () => {
    const statement = settingsStatement('4.4.44');
    expect(statement).toMatch(/^CALL dbms\.listConfig\(\) .*'dbms\.directories\.data'.* RETURN name, value$/);
    const { settings } = serverOf(
      { versions: ['4.4.44'] },
      {},
      [],
      [{ name: 'dbms.directories.data', value: '/data' }],
    );
    expect(settings).toEqual({ 'server.directories.data': '/data' });
    expect(nameIn('server.bolt.enabled', false)).toBe('dbms.connector.bolt.enabled');
  });

  it('of 5 are asked for as they are called', () => {
    expect(settingsStatement('5.26.30')).toMatch(/^SHOW SETTINGS YIELD .*'server\.directories\.data'/);
  });

  it.each([
    ['256.00MiB', '262144k'],
    ['1.50GiB', '1572864k'],
    ['1g\nserver.jvm.additional=-Dx', undefined],
    [undefined, undefined],
  ])('%j is %s to Java', (said, size) => {
    expect(javaSize(said)).toBe(size);
  });
});
