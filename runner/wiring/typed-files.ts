/** Files that a person has named on the command line: no Secret is meant where one cannot be read. */
import { asStillpointError, StillpointError } from '../errors';

/** Reads such a file. What is wrong with it is said with a hint for whoever typed its name. */
export async function typedFile<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    const { code, message } = asStillpointError(thrown);
    if (code !== 'credentials-unreadable') throw thrown;
    throw new StillpointError(code, message, { hint: 'look at the name that was typed', cause: thrown });
  }
}
