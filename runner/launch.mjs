#!/usr/bin/env node
// What the command starts with. It is plain JavaScript that any Node since 12 can parse, so that one which is too old
// says so instead of stopping at a syntax error somewhere in the program.
import module from 'node:module';

// @kubernetes/client-node 2 needs this version.
const OLDEST = [22, 19];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `stillpoint needs Node ${OLDEST.join('.')} or newer, this is ${process.versions.node}\n` +
      '  npx -p node@24 stillpoint … runs it with one that is new enough\n',
  );
  process.exitCode = 2;
} else {
  // V8 keeps what it has compiled: about a third of the start-up time. The image brings its own (NODE_COMPILE_CACHE).
  module.enableCompileCache();
  void import('./main');
}
