/** The servers of one engine that a file of the suite works with: one for each setup, shared by its tests. */
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import type { EngineAdapter, EngineMode, TestServer } from './adapter';

export class Servers implements AsyncDisposable {
  readonly #started = new Map<string, Promise<TestServer>>();

  private constructor(
    private readonly adapter: EngineAdapter,
    private readonly home: TestNamespace,
  ) {}

  /** Makes a namespace for them; disposed of, all that was in it is gone. */
  static async in(adapter: EngineAdapter, purpose: string): Promise<Servers> {
    return new Servers(adapter, await makeNamespace(`${purpose}-${adapter.name}`));
  }

  get namespace(): string {
    return this.home.name;
  }

  /** The server of a mode, started when the first test asks for it. */
  of({ setup }: Pick<EngineMode, 'setup'>, name = `${this.adapter.name}-${setup}`): Promise<TestServer> {
    const started = this.#started.get(name) ?? this.adapter.start({ namespace: this.namespace, name, setup });
    this.#started.set(name, started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.home[Symbol.asyncDispose]();
  }
}
