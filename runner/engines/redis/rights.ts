/** Rights as ACL rules: what an administrator types to give one. Pure. */

/** Commands of which each subcommand is a right of its own. */
const CONTAINERS = new Set(['acl', 'client', 'cluster', 'config', 'sentinel']);

/** The rule that lets a user send a command: `+config|get` for `CONFIG GET dir`. */
export function ruleFor([name = '', sub = '']: readonly string[]): string {
  const command = name.toLowerCase();
  if (command === 'publish') return `+publish &${sub}`;
  return CONTAINERS.has(command) ? `+${command}|${sub.toLowerCase()}` : `+${command}`;
}

/** What to do about rights that are missing. A server that is managed by others may not have a command at all. */
export function grantHint(user: string, rules: readonly string[]): string {
  return `as an administrator: ACL SETUSER ${user === '' ? 'default' : user} ${rules.join(' ')}; a managed server may not have the command at all`;
}
