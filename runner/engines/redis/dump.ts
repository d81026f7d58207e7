/** redis-cli and valkey-cli, as a replica that asks for one RDB file. Pure. No tool reads one back: a server does, when it starts. */
import type { Target } from '../../engine';
import type { EngineDump, ToolCommand } from '../../tools/tool';
import { rdbOf } from './rdb';
import { dialectNamed } from './versions';

const clientOf = (flavour: string | undefined): string =>
  dialectNamed(flavour === 'valkey' ? 'valkey' : 'redis', '').client;

/** The password in the environment: arguments can be read by everybody on the node. */
function login(target: Target): Pick<ToolCommand, 'env' | 'files' | 'secrets'> {
  const { password, tls } = target;
  return {
    // Valkey has been giving its own names to what was Redis's.
    env: password === undefined ? {} : { REDISCLI_AUTH: password, VALKEYCLI_AUTH: password },
    files: {
      ...(tls?.ca === undefined ? {} : { 'ca.crt': tls.ca }),
      ...(tls?.cert === undefined ? {} : { 'client.crt': tls.cert }),
      ...(tls?.key === undefined ? {} : { 'client.key': tls.key }),
    },
    secrets: password === undefined ? [] : [password],
  };
}

function address({ connection, username, password }: Target): readonly string[] {
  const { host, port } = connection;
  return [
    ...(host.startsWith('/') ? ['-s', host] : ['-h', host, '-p', String(port)]),
    // Without a password the tool sends no AUTH, whatever the name.
    ...(username === '' || password === undefined ? [] : ['--user', username]),
  ];
}

/** The tool checks who has signed the certificate, and never for which name: verify-full is no more than verify-ca. */
function tlsOptions({ tls, connection }: Target, folder: string): readonly string[] {
  if (tls === undefined || tls.mode === 'disable' || connection.host.startsWith('/')) return [];
  return [
    '--tls',
    ...(/[a-zA-Z]/.test(connection.host) ? ['--sni', connection.host] : []),
    ...(tls.mode === 'require' ? ['--insecure'] : []),
    ...(tls.ca === undefined ? [] : ['--cacert', `${folder}/ca.crt`]),
    ...(tls.cert === undefined ? [] : ['--cert', `${folder}/client.crt`]),
    ...(tls.key === undefined ? [] : ['--key', `${folder}/client.key`]),
  ];
}

export const dump: EngineDump = {
  extension: 'rdb',
  ofOneServer: true,

  versionOf: (flavour) => ({ program: clientOf(flavour), args: ['--version'] }),

  // What a dump is like, the server decides: the tool only takes it.
  unfit(toolSays) {
    const [, version, major, minor, patch] = /^(?:redis|valkey)-cli ((\d+)\.(\d+)\.(\d+))/.exec(toolSays) ?? [];
    if (version === undefined) return `"${toolSays.trim()}" is not what redis-cli or valkey-cli says of itself`;
    const number = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
    // https://github.com/redis/redis/pull/9135
    return number >= 60_200 && number < 60_205
      ? `the tool is of ${version}, which fails when it writes to a pipe: 6.2.5 does not`
      : undefined;
  },

  dump(target, { flavour }) {
    return {
      ...login(target),
      program: clientOf(flavour),
      args: (folder) => [...address(target), ...tlsOptions(target, folder), '--rdb', '-'],
      refine: rdbOf,
    };
  },

  file: 'dump.rdb',
};
