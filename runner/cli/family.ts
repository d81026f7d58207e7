/** How a family of commands adds itself to the program. */
import type { Command } from 'commander';

/** What a family needs of the program. */
export interface Program {
  /** Adds a command; with `hidden`, one that is not for people. */
  readonly command: (declaration: string, description: string, more?: { readonly hidden?: boolean }) => Command;
  /** Makes an action of a handler: what comes of it is printed. */
  readonly handle: <A extends unknown[]>(work: (...args: A) => Promise<string>) => (...args: A) => Promise<void>;
}

/** The program of a command line; what handlers answer goes to `print`. */
export function programOf(root: Command, print: (text: string) => void): Program {
  return {
    command: (declaration, description, more = {}) => root.command(declaration, more).description(description),
    handle:
      (work) =>
      async (...args) =>
        print(await work(...args)),
  };
}
